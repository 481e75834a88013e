import { Scanner } from '../../src/agent/snapshot.ts';

/** Prints the microseconds of CPU of one scan, as scan.c does. Arguments: descriptors to keep, rounds. */
const keptDescriptors = Number(process.argv[2]);
const rounds = Number(process.argv[3]);
const scanner = new Scanner({ procRoot: '/proc', sysRoot: '/sys', keptDescriptors });
for (let round = 0; round < 20; round += 1) scanner.take();
const before = process.cpuUsage();
for (let round = 0; round < rounds; round += 1) scanner.take();
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${(user + system) / rounds}\n`);
