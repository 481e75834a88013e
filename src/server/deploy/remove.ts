import { Problem } from '../../problem.ts';
import { cronVerb } from './activate.ts';
import { LAYOUT } from './agent-settings.ts';
import type { SshConnection } from './connection.ts';
import { type HostState, probe } from './probe.ts';
import { FIND_PROCESSES, PRELUDE, runScript, STOP_ALL } from './script.ts';
import { removeCronLines, UNIT_FILE, UNIT_NAME } from './service.ts';

const REMOVE_TIMEOUT_MS = 60_000;

/**
 * First what would start the agent again, then launcher and agent, then their folder, if it is ours: all of it, or what is
 * in it.
 */
const REMOVE = `${PRELUDE}
set -eu
IFS= read -r folder
IFS= read -r cron
case $cron in
  write) crontab - ;;
  drop) crontab -r ;;
esac
if [ -e ${UNIT_FILE} ] && grep -qxF "WorkingDirectory=$folder" ${UNIT_FILE}; then
  if [ -d /run/systemd/system ]; then systemctl disable --quiet --now ${UNIT_NAME}; fi
  rm -f ${UNIT_FILE}
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl reset-failed ${UNIT_NAME} 2>/dev/null || :
  fi
fi
real=$(cd -P "$folder" 2>/dev/null && pwd || echo "$folder")
${FIND_PROCESSES}${STOP_ALL}
rm -f "$folder/${LAYOUT.launcherPid}"
stop_all
if [ -e "$folder/${LAYOUT.marker}" ]; then
  cd -P "$folder"
  how=$(cat ${LAYOUT.marker})
  # The mark goes last: what fails in between can be done again.
  for name in $(ls -A); do
    case $name in
      ${LAYOUT.marker} | lost+found) ;;
      *) rm -rf "./$name" ;;
    esac
  done
  rm -f ${LAYOUT.marker}
  cd /
  if [ "$how" = made ]; then rm -rf "$real"; fi
fi
`;

/** Takes away everything of an installation and makes sure that it is gone. @throws Problem when something stays. */
export async function removeAll(connection: SshConnection, state: HostState, folder: string): Promise<void> {
  const crontab = removeCronLines(state.crontab);
  const verb = cronVerb(state.crontab, crontab);
  await runScript(connection, REMOVE, [folder, verb], REMOVE_TIMEOUT_MS, crontab);
  const left = leftOn(await probe(connection, { folder, node: '', runtime: '', files: [] }), folder);
  if (left.length === 0) return;
  throw new Problem(
    'ERR_DEPLOY_LEFT',
    `not everything of procmesh could be taken away: there is still ${left.join(', ')}`,
  );
}

function leftOn(state: HostState, folder: string): string[] {
  const left: string[] = [];
  if (state.folder === 'ours') left.push(folder);
  if (state.unit?.includes(`\nWorkingDirectory=${folder}\n`)) left.push(UNIT_FILE);
  if (removeCronLines(state.crontab) !== state.crontab) left.push('lines in the crontab');
  for (const pid of state.launcherPids) left.push(`a launcher (pid ${pid})`);
  for (const pid of state.pids) left.push(`an agent (pid ${pid})`);
  return left;
}
