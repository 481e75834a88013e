import { Scanner } from '../../src/agent/snapshot.ts';

/** Prints the microseconds of CPU of one scan, as scan.c does. Arguments: descriptors to keep, rounds. */
const WARM_UP_READS = 100_000;
const keptDescriptors = Number(process.argv[2]);
const rounds = Number(process.argv[3]);
const scanner = new Scanner({ procRoot: '/proc', sysRoot: '/sys', keptDescriptors });
// An agent runs for months: what its first scans take is no part of it.
for (let round = 0; round < WARM_UP_READS / scanner.take().processes.size; round += 1) scanner.take();
const before = process.cpuUsage();
for (let round = 0; round < rounds; round += 1) scanner.take();
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${(user + system) / rounds}\n`);
