import { Problem } from '../../problem.ts';
import { LAYOUT } from './agent-settings.ts';
import type { SshConnection } from './connection.ts';
import type { HostState } from './probe.ts';
import { FIND_AGENTS, PRELUDE, PUT, putLines, STOP_AGENTS, scriptProblem } from './script.ts';
import { addCronLines, agentUnit, keeperScript, removeCronLines, UNIT_FILE, UNIT_NAME } from './service.ts';
import type { Target } from './target.ts';

/** To stop an agent that does not want to, and to wait for one. */
const ACTIVATE_TIMEOUT_MS = 90_000;
const NOT_STARTED = 9;

/** Whether the agent that is wanted works already, as it is wanted. */
export function isRunning(state: HostState, target: Target): boolean {
  return (
    state.pids.length === 1 &&
    state.release === target.release.hash &&
    state.settings === target.settings &&
    state.token === target.token &&
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
 * Writes what the agent is told, stops an older agent, flips the link, and starts the agent now and at every boot. The
 * last lines that it said on standard error, or logged, are the output when it does not work within 15 s; then the release before is started again.
 */
const ACTIVATE = `${PRELUDE}
set -eu
IFS= read -r folder
IFS= read -r runtime
IFS= read -r release
IFS= read -r service
IFS= read -r cron
cd -P "$folder"
real=$(pwd)
${PUT}${FIND_AGENTS}${STOP_AGENTS}
mkdir -p etc data
chmod 700 etc data
put 600 ${LAYOUT.settings}
put 600 ${LAYOUT.token}
put 755 ${LAYOUT.keeper}
if [ "$service" = systemd ]; then
  put 644 ${UNIT_FILE}
  systemctl daemon-reload
  systemctl stop ${UNIT_NAME}
fi
case $cron in
  write) crontab - ;;
  drop) crontab -r ;;
esac
flip() {
  rm -f ${LAYOUT.current}.partial
  ln -s "${LAYOUT.releases}/$1" ${LAYOUT.current}.partial
  mv -fT ${LAYOUT.current}.partial ${LAYOUT.current}
}
start() {
  rm -f ${LAYOUT.pid} ${LAYOUT.errors} data/missed
  if [ "$service" = systemd ]; then
    systemctl enable --quiet ${UNIT_NAME}
    systemctl start ${UNIT_NAME}
  else
    setsid ./${LAYOUT.keeper} start </dev/null >/dev/null 2>&1 &
    child=$!
  fi
}
works() { pid=$(cat ${LAYOUT.pid} 2>/dev/null) && [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$real" ]; }
lives() {
  if [ "$service" = systemd ]; then systemctl is-active ${UNIT_NAME} >/dev/null
  else readlink "/proc/$child/exe" >/dev/null
  fi
}
previous=$(readlink ${LAYOUT.current} || :)
stop_agents
flip "$release"
start
tries=0
while ! works; do
  tries=$((tries + 1))
  if [ "$tries" -gt 150 ] || ! lives; then
    if [ -s ${LAYOUT.errors} ]; then tail -n 3 ${LAYOUT.errors}; else tail -n 3 ${LAYOUT.log} 2>/dev/null || :; fi
    if [ "$service" = systemd ]; then systemctl stop ${UNIT_NAME} || :; fi
    stop_agents
    previous=\${previous##*/}
    if [ -n "$previous" ] && [ "$previous" != "$release" ]; then
      flip "$previous"
      start
    fi
    exit ${NOT_STARTED}
  fi
  pause
done
for old in ${LAYOUT.releases}/* ${LAYOUT.runtimes}/*; do
  case \${old##*/} in
    "$release" | "$runtime") ;;
    *) rm -rf "$old" ;;
  esac
done
`;

/** Gives the host the target's settings and lets the target's agent take over. @throws Problem when it does not work. */
export async function activate(connection: SshConnection, state: HostState, target: Target): Promise<void> {
  const crontab = wantedCrontab(state, target);
  const input = [
    target.folder,
    target.runtime?.hash ?? '',
    target.release.hash,
    usesSystemd(state) ? 'systemd' : 'cron',
    cronVerb(state.crontab, crontab),
    ...putLines(target.settings),
    ...putLines(target.token),
    ...putLines(keeperScript(target)),
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
