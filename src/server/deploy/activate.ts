import { Problem } from '../../problem.ts';
import { LAYOUT } from './agent-settings.ts';
import type { SshConnection } from './connection.ts';
import { launcherScript } from './launcher.ts';
import type { HostState } from './probe.ts';
import { FIND_PROCESSES, PRELUDE, PUT, putLines, STOP_ALL, scriptProblem } from './script.ts';
import { addCronLines, agentUnit, keeperScript, removeCronLines, UNIT_FILE, UNIT_NAME } from './service.ts';
import { MANIFEST_FILE, SIGNATURE_FILE, type Target } from './target.ts';

/** To stop an agent that does not want to, and to wait for one. */
const ACTIVATE_TIMEOUT_MS = 90_000;
const NOT_STARTED = 9;

/** Whether the agent that is wanted works already, as it is wanted. */
export function isRunning(state: HostState, target: Target): boolean {
  return (
    state.pids.length === 1 &&
    state.launcherPids.length === 1 &&
    state.release === target.release.hash &&
    state.node === target.node &&
    state.settings === target.settings &&
    state.token === target.token &&
    state.launcher === launcherScript(target) &&
    state.keeper === keeperScript(target) &&
    state.crontab === wantedCrontab(state, target) &&
    (!usesSystemd(state) || state.unit === agentUnit(target))
  );
}

export function usesSystemd({ has, isRoot }: HostState): boolean {
  return has.systemd && isRoot;
}

function wantedCrontab(state: HostState, target: Target): string {
  return usesSystemd(state) ? removeCronLines(state.crontab) : addCronLines(state.crontab, target);
}

/**
 * Writes what the agent is told, stops an older agent, flips the link, and starts the agent now and at every boot. Why it
 * ended, or what it logged last, is the output when it does not work within 15 s; then the release before is started again.
 */
const ACTIVATE = `${PRELUDE}
set -eu
IFS= read -r folder
IFS= read -r release
IFS= read -r node
IFS= read -r service
IFS= read -r cron
cd -P "$folder"
real=$(pwd)
${PUT}${FIND_PROCESSES}${STOP_ALL}
mkdir -p etc data
chmod 700 etc data
put 600 ${LAYOUT.settings}
put 600 ${LAYOUT.token}
put 755 ${LAYOUT.launcher}
put 755 ${LAYOUT.keeper}
put 600 "${LAYOUT.releases}/$release/${MANIFEST_FILE}"
put 600 "${LAYOUT.releases}/$release/${SIGNATURE_FILE}"
link() {
  rm -f "$2.partial"
  ln -s "$1" "$2.partial"
  mv -fT "$2.partial" "$2"
}
link "$node" "${LAYOUT.releases}/$release/node"
if [ "$service" = systemd ]; then
  put 644 ${UNIT_FILE}
  systemctl daemon-reload
  systemctl stop ${UNIT_NAME}
fi
case $cron in
  write) crontab - ;;
  drop) crontab -r ;;
esac
start() {
  link "${LAYOUT.releases}/$1" ${LAYOUT.current}
  rm -f ${LAYOUT.trial} ${LAYOUT.failed} ${LAYOUT.ended} ${LAYOUT.pid} ${LAYOUT.errors}
  if [ "$service" = systemd ]; then
    systemctl enable --quiet ${UNIT_NAME}
    systemctl start ${UNIT_NAME}
  else
    ./${LAYOUT.keeper} start </dev/null >/dev/null 2>&1
  fi
}
works() { pid=$(cat ${LAYOUT.pid} 2>/dev/null) && [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$real" ]; }
previous=$(readlink ${LAYOUT.current} || :)
# What is on trial now has not shown that it works.
if [ -e ${LAYOUT.trial} ]; then read -r _ previous _ <${LAYOUT.trial} || :; fi
previous=\${previous##*/}
# Without it cron starts nothing of what is stopped here.
rm -f ${LAYOUT.launcherPid}
stop_all
start "$release"
tries=0
while ! works; do
  tries=$((tries + 1))
  if [ "$tries" -gt 150 ] || [ -e ${LAYOUT.ended} ]; then
    cat ${LAYOUT.ended} 2>/dev/null || tail -n 3 ${LAYOUT.log} 2>/dev/null || :
    if [ "$service" = systemd ]; then systemctl stop ${UNIT_NAME} || :; fi
    rm -f ${LAYOUT.launcherPid}
    stop_all
    # One that was brought before there were launchers cannot be started by one.
    if [ "$previous" != "$release" ] && [ -x "${LAYOUT.releases}/$previous/node" ]; then start "$previous"; fi
    exit ${NOT_STARTED}
  fi
  pause
done
rm -rf ${LAYOUT.incoming} data/missed
# The release before stays, so that it need not be brought again.
if [ "$previous" != "$release" ]; then
  for old in ${LAYOUT.releases}/*; do
    case \${old##*/} in
      "$release" | "$previous") ;;
      *) rm -rf "$old" ;;
    esac
  done
  nodes=$(for node in ${LAYOUT.releases}/*/node; do readlink "$node" || :; done)
  for old in ${LAYOUT.runtimes}/*; do
    case $nodes in
      *"/$old/"*) ;;
      *) rm -rf "$old" ;;
    esac
  done
fi
`;

/** Gives the host the target's settings and lets the target's agent take over. @throws Problem when it does not work. */
export async function activate(connection: SshConnection, state: HostState, target: Target): Promise<void> {
  const crontab = wantedCrontab(state, target);
  const input = [
    target.folder,
    target.release.hash,
    target.node,
    usesSystemd(state) ? 'systemd' : 'cron',
    cronVerb(state.crontab, crontab),
    ...putLines(target.settings),
    ...putLines(target.token),
    ...putLines(launcherScript(target)),
    ...putLines(keeperScript(target)),
    ...putLines(target.manifest.text),
    ...putLines(target.manifest.signature),
    ...(usesSystemd(state) ? putLines(agentUnit(target)) : []),
  ];
  const finished = await connection.run(ACTIVATE, `${input.join('\n')}\n${crontab}`, ACTIVATE_TIMEOUT_MS);
  if (finished.code === 0) return;
  if (finished.code !== NOT_STARTED) throw scriptProblem(connection, finished);
  const lines = finished.stdout.trim().split('\n').filter(Boolean);
  throw new Problem('ERR_DEPLOY_START', `its agent does not start: ${lines.join(' | ') || 'it says nothing'}`);
}

/** What is to be done with a user's crontab; one without lines is taken away. */
export function cronVerb(before: string, after: string): 'keep' | 'write' | 'drop' {
  if (before === after) return 'keep';
  return after === '' ? 'drop' : 'write';
}
