import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attribute, type Carry, NO_CARRY } from '../../../src/agent/attribution/attribute.ts';
import { seededRandom } from '../../support/random.ts';
import { add, nothing, ProcessTree, RESOURCES } from './process-tree.ts';

const SEEDS = 80;
const WINDOWS = 40;
/** Enough for every debit to be met or dropped. */
const QUIET_WINDOWS = 3;

/** Runs a random machine for a while and until everybody has ended, and adds up what was charged. */
function run(seed: number, stepsBetweenReads: number) {
  const tree = new ProcessTree(seededRandom(seed));
  const charged = nothing();
  let carry: Carry = NO_CARRY;
  let previous = tree.scan(0);
  for (let window = 0; window <= WINDOWS + QUIET_WINDOWS; window += 1) {
    const isQuiet = window >= WINDOWS;
    if (!isQuiet) for (let steps = (seed * 7 + window * 13) % 120; steps > 0; steps -= 1) tree.step();
    else if (window === WINDOWS) tree.end();
    const current = tree.scan(isQuiet ? 0 : stepsBetweenReads);
    const attributed = attribute(previous, current, carry);
    for (const usage of attributed.usage.values()) {
      for (const resource of RESOURCES) assert.ok(usage[resource] >= 0, `seed ${seed}: ${resource} ${usage[resource]}`);
      add(charged, usage);
    }
    for (const resource of RESOURCES)
      assert.ok(
        charged[resource] <= tree.used[resource],
        `seed ${seed}, window ${window}: ${resource} ${charged[resource]} of ${tree.used[resource]}`,
      );
    ({ carry } = attributed);
    previous = current;
  }
  assert.equal(carry.debits.size, 0);
  return { charged, used: tree.used };
}

for (const { title, stepsBetweenReads } of [
  { title: 'when every snapshot is taken in an instant', stepsBetweenReads: 0 },
  { title: 'while processes fork, exit and are reaped between two reads of a scan', stepsBetweenReads: 3 },
]) {
  test(`charges exactly what was used, and never more than that so far, ${title}`, () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { charged, used } = run(seed, stepsBetweenReads);
      assert.deepEqual(charged, used, `seed ${seed}`);
      assert.ok(used.cpuTicks > 5_000);
    }
  });
}
