import { readFileSync } from 'node:fs';
import { Exits } from '../../src/agent/attribution/exits.ts';
import { openLibc } from '../../src/kernel/libc.ts';
import { TaskEnds } from '../../src/kernel/task-ends.ts';
import { TaskExits } from '../../src/kernel/taskstats.ts';

/** Counts the processes that end, as the agent does, until it is told to stop; run by exits-bench.ts with the agent's flags. */
const POLL_MS = 250;
const SCAN_MS = 2_000;

const libc = openLibc();
const ends = new TaskEnds(libc, readFileSync('/sys/kernel/btf/vmlinux'));
const exits = new Exits(new TaskExits(libc, readFileSync('/sys/devices/system/cpu/possible', 'utf8')), ends);
let counted = 0;
const polls = setInterval(() => exits.poll(), POLL_MS);
const scans = setInterval(scan, SCAN_MS);
const before = process.cpuUsage();
process.stdout.write('ready\n');
process.stdin.resume().on('end', () => {
  clearInterval(polls);
  clearInterval(scans);
  scan();
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${JSON.stringify({ counted, overruns: exits.overruns, cpuMs: (user + system) / 1_000 })}\n`);
  exits.close();
});

function scan(): void {
  exits.beginScan();
  const window = exits.endScan();
  counted += window.beforeScan;
}
