import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Gathering } from '../../src/store/gathering.ts';

/** Work that ends when the test says so. */
function held(): { done: number[][]; gathering: Gathering<number>; end: (error?: Error) => void } {
  const done: number[][] = [];
  let current = Promise.withResolvers<void>();
  const gathering = new Gathering<number>(async (items) => {
    done.push([...items]);
    await current.promise;
  });
  return {
    done,
    gathering,
    end: (error) => {
      const { resolve, reject } = current;
      current = Promise.withResolvers();
      if (error === undefined) resolve();
      else reject(error);
    },
  };
}

describe('gathering', () => {
  it('does at once what is asked in one go, and then what came meanwhile', async () => {
    const { done, gathering, end } = held();
    const first = [gathering.add(1), gathering.add(2)];
    await Promise.resolve();
    assert.deepEqual(done, [[1, 2]]);
    const second = [gathering.add(3), gathering.add(4)];
    end();
    await Promise.all(first);
    assert.deepEqual(done, [
      [1, 2],
      [3, 4],
    ]);
    const settled = gathering.settled();
    end();
    await Promise.all([...second, settled]);
    const third = gathering.add(5);
    await Promise.resolve();
    end();
    await third;
    assert.deepEqual(done.at(-1), [5]);
  });

  it('rejects what failed, and goes on', async () => {
    const { gathering, end } = held();
    const failing = [gathering.add(1), gathering.add(2)];
    await Promise.resolve();
    const next = gathering.add(3);
    end(new Error('away'));
    for (const one of failing) await assert.rejects(one, /away/);
    end();
    await next;
  });

  it('does a thousand at once, and refuses more than it has room for', async () => {
    const sizes: number[] = [];
    const gathering = new Gathering<number>(async (items) => void sizes.push(items.length));
    const taken = Array.from({ length: 50_000 }, (_, item) => gathering.add(item));
    await assert.rejects(gathering.add(0), { name: 'Problem', code: 'ERR_STORE_BUSY' });
    await Promise.all(taken);
    assert.deepEqual([sizes.length, new Set(sizes)], [50, new Set([1_000])]);
    await gathering.add(0);
  });
});
