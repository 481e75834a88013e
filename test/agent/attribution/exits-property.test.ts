import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import { attribute, type Carry, NO_CARRY } from '../../../src/agent/attribution/attribute.ts';
import { Exits } from '../../../src/agent/attribution/exits.ts';
import { seededRandom } from '../../support/random.ts';
import { add, nothing, ProcessTree, RESOURCES, type Resources, type TreeOptions } from './process-tree.ts';
import { FakeTaskExits } from './task-exits.ts';

const SEEDS = 60;
const WINDOWS = 40;
/** Enough for every debit to be met or dropped. */
const QUIET_WINDOWS = 4;

interface Machine extends TreeOptions {
  stepsBetweenReads?: number;
  /** How much more than was used may be charged, in all and to any one process. */
  slackTicks?: number;
  /** By how much of all that was used the sum may be off, 0–1; then nothing is asked of single processes. */
  slackShare?: number;
  /** After every so many windows another process goes on: what exits told meanwhile, and were to tell again, is lost. */
  handOverEvery?: number;
}

/** Runs a random machine that tells of its exits for a while and until everybody has ended, and adds up what was charged. */
function run(
  seed: number,
  { stepsBetweenReads = 0, slackTicks = 0, slackShare = 0, handOverEvery, ...options }: Machine,
) {
  const source = new FakeTaskExits();
  const tree = new ProcessTree(seededRandom(seed), { ...options, exits: source });
  let exits = new Exits(source);
  const charged = nothing();
  const byProcess = new Map<string, Resources>();
  let carry: Carry = NO_CARRY;
  let previous = tree.scan(0);
  exits.endScan();
  for (let window = 0; window <= WINDOWS + QUIET_WINDOWS; window += 1) {
    const isQuiet = window >= WINDOWS;
    if (!isQuiet) for (let steps = (seed * 7 + window * 13) % 120; steps > 0; steps -= 1) tree.step();
    else if (window === WINDOWS) tree.end();
    if (handOverEvery !== undefined && window % handOverEvery === 0) {
      while (source.next());
      exits = new Exits(source);
      ({ carry, previous } = deserialize(serialize({ carry, previous })));
    }
    exits.beginScan();
    const current = tree.scan(isQuiet ? 0 : stepsBetweenReads);
    const attributed = attribute(previous, current, carry, exits.endScan());
    const rows = new Map([...current.processes, ...attributed.ended.map((row) => [row.pid, row] as const)]);
    for (const [pid, usage] of attributed.usage) {
      const row = rows.get(pid);
      assert.ok(row !== undefined, `seed ${seed}, window ${window}: ${pid} has no row`);
      const key = `${pid} ${row.startTicks}`;
      const sum = byProcess.get(key) ?? nothing();
      byProcess.set(key, sum);
      add(sum, usage);
      add(charged, usage);
      // Init is charged for orphans too.
      if (pid !== 1 && slackShare === 0)
        atMost(
          sum,
          tree.family(row),
          { ticks: slackTicks, share: 0 },
          `seed ${seed}, window ${window}, process ${pid}`,
        );
    }
    atMost(charged, tree.used, { ticks: slackTicks, share: slackShare }, `seed ${seed}, window ${window}`);
    ({ carry } = attributed);
    previous = current;
  }
  return { charged, used: tree.used, carry };
}

function atMost(charged: Resources, used: Resources, slack: { ticks: number; share: number }, where: string): void {
  for (const resource of RESOURCES) {
    const more = (resource === 'cpuTicks' ? slack.ticks : 0) + slack.share * used[resource] + 1e-6;
    assert.ok(
      charged[resource] <= used[resource] + more,
      `${where}: ${resource} ${charged[resource]} of ${used[resource]}`,
    );
  }
}

/**
 * A scan during which more happens than between two of them, several forks, exits and reaps for each process that is
 * read. The order in which it was seen decides who is charged for some of it, and the sum may be off by this.
 */
const RACES: Machine = { stepsBetweenReads: 3, slackShare: 0.015 };
const REUSE: Machine = { maxPid: 75, ticksPerStep: 40 };

for (const [title, machine] of [
  ['when every snapshot is taken in an instant', {}],
  ['when pids are used again', REUSE],
  ['while the world goes on between two reads of a scan, nearly', RACES],
  ['when pids are used again and the world goes on, nearly', { ...REUSE, ...RACES }],
  ['and what processes use after their exits, nearly', { tailTicks: 5, ...RACES }],
] satisfies [string, Machine][]) {
  test(`charges what was used with all exits told, ${title}`, () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { charged, used, carry } = run(seed, machine);
      for (const resource of RESOURCES) {
        const slack = (machine.slackShare ?? 0) * used[resource] + 1e-6;
        const where = `seed ${seed}: ${resource} ${charged[resource]} of ${used[resource]}`;
        assert.ok(Math.abs(charged[resource] - used[resource]) <= slack, where);
      }
      if (machine.slackShare === undefined) assert.equal(carry.debits.size, 0);
      assert.ok(used.cpuTicks > 3_000);
    }
  });
}

// What such a parent does itself stands in one counter with what it reaps, and cannot be told from it at first.
test('charges all CPU time, and most I/O, of processes whose parents ignore SIGCHLD', () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { charged, used } = run(seed, { ignoring: 0.3 });
    assert.ok(
      Math.abs(charged.cpuTicks - used.cpuTicks) < 1e-6,
      `seed ${seed}: ${charged.cpuTicks} of ${used.cpuTicks}`,
    );
    for (const resource of ['readBytes', 'writeBytes'] as const) {
      const share = charged[resource] / used[resource];
      assert.ok(share > 0.9 && share < 1 + 1e-9, `seed ${seed}: ${resource} ${share}`);
    }
  }
});

test('charges at most what was used, and most of it, with a third of the exits lost', () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { charged, used } = run(seed, { lost: 0.33 });
    for (const resource of RESOURCES) {
      const share = charged[resource] / used[resource];
      assert.ok(share > 0.95 && share < 1 + 1e-9, `seed ${seed}: ${resource} ${share}`);
    }
  }
});

test('charges what was used where counters are whole ticks and exits are exact', () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { charged, used } = run(seed, { isFine: true, slackTicks: 4 });
    assert.ok(
      Math.abs(charged.cpuTicks / used.cpuTicks - 1) < 0.01,
      `seed ${seed}: ${charged.cpuTicks} of ${used.cpuTicks}`,
    );
  }
});

for (const [title, handOverEvery, machine] of [
  ['every fifth window', 5, {}],
  ['every window, so that no exit is told at all', 1, {}],
  ['every fifth window, while the world goes on between two reads of a scan, nearly', 5, RACES],
] satisfies [string, number, Machine][]) {
  test(`charges what was used when another process goes on ${title}`, () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { charged, used } = run(seed, { handOverEvery, ...machine });
      for (const resource of RESOURCES) {
        const share = charged[resource] / used[resource];
        assert.ok(Math.abs(share - 1) <= (machine.slackShare ?? 0) + 1e-9, `seed ${seed}: ${resource} ${share}`);
      }
    }
  });
}
