import { writeSync } from 'node:fs';
import { Agent } from '../../src/agent/agent.ts';
import { IntervalBuilder } from '../../src/agent/history/interval.ts';
import { openKernelAccess } from '../../src/agent/kernel-access.ts';
import { openSources } from '../../src/agent/sources.ts';

/**
 * An agent of this machine with the data folder that is named. On SIGUSR2 it hands over and begins anew, in the same
 * process; on SIGTERM it ends. Says, a line each, `started`, whatever troubles it, and of each sample `used TICKS`: what
 * it charges to the processes whose names begin as is told.
 */
const [, script = '', dataDir = '', prefix = ''] = process.argv;
const say = (line: string): void => void writeSync(1, `${line}\n`);
const { add } = IntervalBuilder.prototype;
IntervalBuilder.prototype.add = function (sample) {
  const mine = [...sample.processes.values()].filter(({ comm }) => comm.startsWith(prefix));
  say(`used ${mine.reduce((sum, { pid }) => sum + (sample.usage.get(pid)?.cpuTicks ?? 0), 0)}`);
  add.call(this, sample);
};
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
    () => process.execve?.(process.execPath, [process.execPath, script, dataDir, prefix], process.env),
    (error) => say(String(error)),
  );
});
process.once('SIGTERM', () => {
  agent.stop();
  process.exit();
});
say('started');
