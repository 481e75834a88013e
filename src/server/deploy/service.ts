import { LAYOUT } from './agent-settings.ts';

/** An agent as it is installed on one host. All paths are plain: no shell, unit or crontab takes anything in them for more. */
export interface Installation {
  folder: string;
}

export const UNIT_NAME = 'procmesh-agent.service';
export const UNIT_FILE = `/etc/systemd/system/${UNIT_NAME}`;

/** `/opt/procmesh`, `/usr/bin/node`. */
export function isPlainPath(path: string): boolean {
  return /^(\/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*)+$/.test(path);
}

/**
 * The agent's unit of systemd. Nothing in it hides a part of the machine from the agent: no ProtectProc, and no file
 * system of its own, which ProtectSystem and PrivateTmp would give it. Older systemd ignores what it does not know.
 */
export function agentUnit({ folder }: Installation): string {
  return `[Unit]
Description=procmesh agent: which process uses up this machine
# It is stopped before the network is; it waits for no network, which may never be all there, as it keeps what it measures.
After=network.target
# It is started again for ever.
StartLimitIntervalSec=0

[Service]
# It has the agent for its child, and starts it again itself.
ExecStart=/bin/sh ${folder}/${LAYOUT.launcher}
WorkingDirectory=${folder}
StandardOutput=null
# An agent that ends as it was told to, as one whose host was taken out is, stays ended, and so does the launcher.
Restart=on-failure
RestartSec=1
# From systemd 254 on ever more slowly, with a low end, as it never forgets one that died long ago.
RestartSteps=5
RestartMaxDelaySec=60
# The launcher passes on that the agent is to end, which a second time would cut short.
KillMode=mixed
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

/** What cron calls where there is no systemd. */
export function keeperScript({ folder }: Installation): string {
  return `#!/bin/sh
# Written by procmesh. "keep-running" starts the launcher if it has died, "keep-running start" if it does not run.
cd -P ${folder} || exit 1
if { IFS= read -r pid <${LAYOUT.launcherPid}; } 2>/dev/null; then
  if [ "$(readlink "/proc/$pid/cwd")" = "$(pwd)" ]; then exit 0; fi
elif [ ! -e ${LAYOUT.launcherPid} ] && [ "$1" != start ]; then
  exit 0
fi
setsid /bin/sh ${folder}/${LAYOUT.launcher} </dev/null >/dev/null 2>&1 &
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
