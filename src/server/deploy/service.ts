import { AGENT_ENVIRONMENT, AGENT_NODE_OPTIONS } from '../release/agent-process.ts';
import { AGENT_FILE } from '../release/agent-release.ts';
import { LAYOUT } from './agent-settings.ts';

/** An agent as it is installed on one host. All paths are plain: no shell, unit or crontab takes anything in them for more. */
export interface Installation {
  folder: string;
  /** The Node.js it runs on. */
  node: string;
}

export const UNIT_NAME = 'procmesh-agent.service';
export const UNIT_FILE = `/etc/systemd/system/${UNIT_NAME}`;

/** `/opt/procmesh`, `/usr/bin/node`. */
export function isPlainPath(path: string): boolean {
  return /^(\/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*)+$/.test(path);
}

function agentCommand({ folder, node }: Installation): string {
  const file = `${folder}/${LAYOUT.current}/${AGENT_FILE}`;
  return [node, ...AGENT_NODE_OPTIONS, file, '--deployed', folder].join(' ');
}

/**
 * The agent's unit of systemd. Nothing in it hides a part of the machine from the agent: no ProtectProc, and no file
 * system of its own, which ProtectSystem and PrivateTmp would give it. Older systemd ignores what it does not know.
 */
export function agentUnit(installation: Installation): string {
  const { folder } = installation;
  return `[Unit]
Description=procmesh agent: which process uses up this machine
# It is stopped before the network is; it waits for no network, which may never be all there, as it keeps what it measures.
After=network.target
# It is started again for ever.
StartLimitIntervalSec=0

[Service]
ExecStart=${agentCommand(installation)}
WorkingDirectory=${folder}
${Object.entries(AGENT_ENVIRONMENT)
  .map(([name, value]) => `Environment=${name}=${value}`)
  .join('\n')}
StandardOutput=null
# Each start empties it from systemd 248 on.
StandardError=file:${folder}/${LAYOUT.errors}
StandardError=truncate:${folder}/${LAYOUT.errors}
# An agent that ends as it was told to, as one whose host was taken out is, stays ended.
Restart=on-failure
RestartSec=15
# From systemd 254 on ever more slowly, with a low end, as it never forgets one that died long ago.
RestartSteps=5
RestartMaxDelaySec=60
TimeoutStopSec=10
# It must not be what uses up the machine, nor be the first to go when memory runs out.
CPUWeight=20
IOWeight=20
MemoryMax=512M
OOMScoreAdjust=-500
LimitNOFILE=65536
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes

[Install]
WantedBy=multi-user.target
`;
}

/**
 * What cron calls where there is no systemd. An agent that ended otherwise than it was told to is started again after
 * 1, 2, 4, … 32 minutes, and then every 32.
 */
export function keeperScript(installation: Installation): string {
  const environment = Object.entries(AGENT_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  return `#!/bin/sh
# Written by procmesh. "keep-running" starts the agent if it has died, "keep-running start" if it does not run.
cd ${installation.folder} || exit 1
if pid=$(cat ${LAYOUT.pid} 2>/dev/null); then
  if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$(pwd -P)" ]; then
    rm -f data/missed
    exit 0
  fi
elif [ "$1" != start ]; then
  exit 0
fi
if [ "$1" != start ]; then
  missed=$(($(cat data/missed 2>/dev/null || echo 0) + 1))
  echo "$missed" >data/missed
  if [ $((missed & (missed - 1))) -ne 0 ] && [ $((missed % 32)) -ne 0 ]; then exit 0; fi
fi
umask 077
: >${LAYOUT.pid}
ulimit -n 65536 2>/dev/null
export ${environment.join(' ')}
exec ${agentCommand(installation)} </dev/null >/dev/null 2>${LAYOUT.errors}
`;
}

/** The end of a line of a crontab that is ours. */
const CRON_MARK = '# procmesh-agent';

/** A user's crontab with the lines that keep an agent running; all other lines stay as they are, byte for byte. */
export function addCronLines(crontab: string, { folder }: Installation): string {
  const others = removeCronLines(crontab);
  const ended = others === '' || others.endsWith('\n') ? others : `${others}\n`;
  const keeper = `${folder}/${LAYOUT.keeper}`;
  return `${ended}* * * * * ${keeper} ${CRON_MARK}\n@reboot ${keeper} start ${CRON_MARK}\n`;
}

export function removeCronLines(crontab: string): string {
  return crontab
    .split(/(?<=\n)/)
    .filter((line) => !line.trimEnd().endsWith(CRON_MARK))
    .join('');
}
