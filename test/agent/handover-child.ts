import { writeSync } from 'node:fs';
import { Agent } from '../../src/agent/agent.ts';
import { openKernelAccess } from '../../src/agent/kernel-access.ts';
import { openSources } from '../../src/agent/sources.ts';

/**
 * An agent of this machine with the data folder that is named. On SIGUSR2 it hands over and begins anew, in the same
 * process; on SIGTERM it ends. Says `started` and whatever troubles it, a line each.
 */
const [, script = '', dataDir = ''] = process.argv;
const say = (line: string): void => void writeSync(1, `${line}\n`);
const kernel = openKernelAccess();
const agent = new Agent({
  host: 'handover',
  version: '1',
  servers: ['ws://127.0.0.1:1'],
  token: () => 'token',
  dataDir,
  procRoot: '/proc',
  sysRoot: '/sys',
  passwdPath: '/etc/passwd',
  kernel,
  openSources: (ports) =>
    openSources({ net: 'auto', procRoot: '/proc', sysRoot: '/sys', ownPid: process.pid, ports, kernel }),
});
agent.on('trouble', (error) => say(error.message));
agent.start();
process.once('SIGUSR2', () => {
  agent.handOver().then(
    () => process.execve?.(process.execPath, [process.execPath, script, dataDir], process.env),
    (error) => say(String(error)),
  );
});
process.once('SIGTERM', () => {
  agent.stop();
  process.exit();
});
say('started');
