import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { released, type World } from './simulation.ts';

/** @returns the hosts that run it, each time that they are more. */
async function watched(world: World, hash: string, forMs = 90_000): Promise<number[]> {
  const counts: number[] = [];
  for (let left = forMs; left > 0 && world.newest.state === 'running'; left -= 500) {
    await world.pass(500);
    const count = world.running(hash);
    if (count > 0 && count !== counts.at(-1)) counts.push(count);
  }
  return counts;
}

describe('waves', { timeout: 120_000 }, () => {
  for (const [count, sizes] of [
    [1, [1]],
    [5, [1, 5]],
    [100, [1, 10, 100]],
  ] as const)
    it(`bring a release to ${count} hosts, each when all before are well`, async (t) => {
      const { world, hash } = await released(t, count);
      const startedMs = Date.now();
      assert.deepEqual(await watched(world, hash), sizes);
      assert.equal(world.newest.state, 'done');
      assert.ok(Date.now() - startedMs <= sizes.length * 12_000, `it took ${Date.now() - startedMs} ms`);
      for (const { rshost } of world.fleet.rows) {
        const { upgrade, wanted, release } = world.row(rshost);
        assert.deepEqual([upgrade, wanted, release], ['done', 2, hash]);
        assert.deepEqual(world.agent(rshost).starts, [hash]);
      }
      assert.deepEqual(world.troubles, []);
    });

  it('bring a release to 2,000 hosts', async (t) => {
    const { world, hash } = await released(t, 2_000);
    const counts = await watched(world, hash);
    assert.equal(world.newest.state, 'done');
    assert.equal(world.running(hash), 2_000);
    assert.ok(counts.includes(1) && counts.includes(200), `${counts}`);
    assert.ok(
      counts.every((running) => running === 1 || running === 200 || running > 200),
      `${counts}`,
    );
  });
});
