import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { BulkLane } from '../../src/server/bulk-lane.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A lane whose work takes as long as a test says, and what of it was done. */
function setUp(t: TestContext) {
  let nowMs = 1_000_000;
  t.mock.method(performance, 'now', () => nowMs);
  const lane = new BulkLane();
  const done: string[] = [];
  const add = (name: string, takesMs: number): void =>
    lane.add(() => {
      done.push(name);
      nowMs += takesMs;
    });
  return { lane, done, add };
}

describe('bulk lane', { timeout: 30_000 }, () => {
  it('does nothing before what is live was read', async (t) => {
    const { done, add } = setUp(t);
    add('a', 1);
    assert.deepEqual(done, []);
    await turn();
    assert.deepEqual(done, ['a']);
  });

  it('does a few milliseconds of work in each turn of the event loop, in order', async (t) => {
    const { done, add } = setUp(t);
    for (const name of ['a', 'b', 'c', 'd', 'e']) add(name, 2);
    await turn();
    assert.deepEqual(done, ['a', 'b']);
    await turn();
    assert.deepEqual(done, ['a', 'b', 'c', 'd']);
    await turn();
    assert.deepEqual(done, ['a', 'b', 'c', 'd', 'e']);
  });

  it('does one piece a turn, however long each takes', async (t) => {
    const { done, add } = setUp(t);
    for (const name of ['a', 'b']) add(name, 100);
    await turn();
    assert.deepEqual(done, ['a']);
    await turn();
    assert.deepEqual(done, ['a', 'b']);
  });

  it('takes what work itself asks for after what was asked for before', async (t) => {
    const { lane, done, add } = setUp(t);
    lane.add(() => add('b', 1));
    add('a', 4);
    await turn();
    assert.deepEqual(done, ['a']);
    await turn();
    assert.deepEqual(done, ['a', 'b']);
  });
});
