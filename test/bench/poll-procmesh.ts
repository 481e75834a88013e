import { openSocketNetwork } from '../../src/agent/network/sockets.ts';
import { Scanner } from '../../src/agent/snapshot.ts';
import { openLibc } from '../../src/kernel/libc.ts';

/** Prints the microseconds of CPU of one reading of the sockets. Argument: readings. */
const WARM_UP_READINGS = 50;
const readings = Number(process.argv[2]);
const network = openSocketNetwork({ kernel: { libc: openLibc() }, procRoot: '/proc', ownPid: process.pid });
const { processes } = new Scanner({ procRoot: '/proc', sysRoot: '/sys', keptDescriptors: 0 }).take();
// An agent runs for months: finding the holders of what there was at its start is no part of it.
for (let reading = 0; reading < WARM_UP_READINGS; reading += 1) network.read(processes);
const before = process.cpuUsage();
for (let reading = 0; reading < readings; reading += 1) network.read(processes);
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${(user + system) / readings}\n`);
network.close();
