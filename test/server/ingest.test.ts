import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Problem } from '../../src/problem.ts';
import { Ingest } from '../../src/server/ingest.ts';
import { ServerMetrics } from '../../src/server/metrics.ts';
import type { HostInterval } from '../../src/store/store.ts';
import { aProcess, interval } from '../store/sample.ts';
import { FakeStore } from '../support/fake-store.ts';
import { openServer } from '../support/test-server.ts';

/** An ingest whose store answers each write when a test says so. */
function held(t: TestContext) {
  const store = new FakeStore();
  const metrics = new ServerMetrics();
  const troubles: string[] = [];
  const acked: string[] = [];
  const writes: { batch: string[]; answer: (error?: Error) => void }[] = [];
  let wake = (): void => undefined;
  store.onWrite = (batch: readonly HostInterval[]) =>
    new Promise((resolve, reject) => {
      const answer = (error?: Error): void => (error === undefined ? resolve() : reject(error));
      writes.push({ batch: batch.map(({ host, interval: { endMs } }) => `${host} ${endMs}`), answer });
      wake();
    });
  const ingest = new Ingest({ store, metrics, onTrouble: ({ message }) => troubles.push(message) });
  t.after(() => ingest.close());
  const add = (host: string, step: number, by = ''): string => {
    const { endMs } = interval(step);
    ingest.add(host, interval(step), () => acked.push(`${host} ${endMs}${by}`));
    return `${host} ${endMs}`;
  };
  /** The next write that has not been looked at. */
  const nextWrite = async () => {
    while (writes.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return writes.shift() as (typeof writes)[number];
  };
  const count = async (name: 'intervals' | 'storeFailures' | 'deferred' | 'refusedIntervals') =>
    (await metrics[name].get()).values[0]?.value;
  return { store, ingest, add, acked, troubles, writes, nextWrite, count };
}

/** Lets everything run that a settled promise has set off. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('ingest', { timeout: 30_000 }, () => {
  it('acknowledges an interval when the store has it, and not before', async (t) => {
    const { add, acked, nextWrite, count } = held(t);
    const one = add('a', 1);
    const write = await nextWrite();
    await turn();
    assert.deepEqual(acked, []);
    assert.equal(await count('intervals'), 0);
    write.answer();
    await turn();
    assert.deepEqual(acked, [one]);
    assert.equal(await count('intervals'), 1);
  });

  it('writes what has come meanwhile in bounded batches, in order, one at a time', async (t) => {
    const { add, acked, nextWrite, writes } = held(t);
    const first = add('a', 0);
    const others = Array.from({ length: 200 }, (_, index) => add(`host-${index % 10}`, index));
    const write = await nextWrite();
    assert.deepEqual(write.batch, [first]);
    await turn();
    assert.deepEqual(writes, []);
    write.answer();
    for (let written = 0; written < others.length; ) {
      const { batch, answer } = await nextWrite();
      assert.ok(batch.length > 10 && batch.length <= 100, `${batch.length} in a batch`);
      assert.deepEqual(batch, others.slice(written, written + batch.length));
      assert.deepEqual(acked, [first, ...others.slice(0, written)]);
      written += batch.length;
      answer();
      await turn();
    }
    assert.deepEqual(acked, [first, ...others]);
  });

  it('tries again what the store refused, tells of it, and acknowledges once', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { add, acked, troubles, nextWrite, count } = held(t);
    const one = add('a', 1);
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      (await nextWrite()).answer(new Error(`disk full ${attempt}`));
      await turn();
      assert.deepEqual(acked, []);
      t.mock.timers.tick(15_000);
    }
    const write = await nextWrite();
    assert.deepEqual(write.batch, [one]);
    write.answer();
    await turn();
    assert.deepEqual(acked, [one]);
    assert.deepEqual(troubles, ['disk full 1', 'disk full 2', 'disk full 3']);
    assert.equal(await count('storeFailures'), 3);
  });

  it('waits longer each time, and never more than 15 seconds', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    t.mock.method(Math, 'random', () => 0);
    const { add, nextWrite, writes } = held(t);
    add('a', 1);
    for (const waitMs of [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
      (await nextWrite()).answer(new Error('no'));
      await turn();
      t.mock.timers.tick(waitMs - 1);
      await turn();
      assert.deepEqual(writes, [], `before ${waitMs} ms`);
      t.mock.timers.tick(1);
    }
    await nextWrite();
  });

  it('lives with an error of any class, also one that is a bug of the store', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { add, acked, nextWrite, troubles } = held(t);
    const one = add('a', 1);
    (await nextWrite()).answer(new TypeError('undefined is not a function'));
    await turn();
    t.mock.timers.tick(15_000);
    (await nextWrite()).answer();
    await turn();
    assert.deepEqual(acked, [one]);
    assert.deepEqual(troubles, ['undefined is not a function']);
  });

  it('writes an interval that comes again while it waits once, and acknowledges where it came from last', async (t) => {
    const { add, acked, nextWrite } = held(t);
    add('a', 0);
    const write = await nextWrite();
    add('a', 1, ' on the old connection');
    const again = add('a', 1, ' on the new connection');
    add('b', 1);
    write.answer();
    const second = await nextWrite();
    assert.deepEqual(second.batch, [again, again.replace('a', 'b')]);
    second.answer();
    await turn();
    assert.deepEqual(acked.slice(1), [`${again} on the new connection`, again.replace('a', 'b')]);
  });

  it('acknowledges on the new connection also when it came again while it was written', async (t) => {
    const { add, acked, nextWrite, writes } = held(t);
    const one = add('a', 1, ' on the old connection');
    const write = await nextWrite();
    add('a', 1, ' on the new connection');
    write.answer();
    await turn();
    assert.deepEqual(acked, [`${one} on the new connection`]);
    assert.deepEqual(writes, []);
  });

  it('takes no more than it has room for, and takes again what it has stored', async (t) => {
    const { ingest, acked, nextWrite, count } = held(t);
    const processes = Array.from({ length: 9_999 }, (_, index) => aProcess({ pid: index + 1 }));
    const offer = (step: number): boolean =>
      ingest.add('a', interval(step, { processes }), () => acked.push(String(step)));
    const taken = Array.from({ length: 12 }, (_, step) => offer(step));
    assert.deepEqual(taken, [...Array(10).fill(true), false, false]);
    assert.equal(await count('deferred'), 2);
    // What waits already takes no more room when it comes again.
    assert.equal(offer(3), true);
    (await nextWrite()).answer();
    await turn();
    assert.deepEqual(acked, ['0']);
    assert.equal(offer(10), true);
    assert.equal(offer(11), false);
  });

  it('bounds a transaction by its rows', async (t) => {
    const { ingest, nextWrite } = held(t);
    const processes = Array.from({ length: 699 }, (_, index) => aProcess({ pid: index + 1 }));
    for (let step = 0; step < 6; step += 1) ingest.add('a', interval(step, { processes }), () => undefined);
    const sizes: number[] = [];
    for (let written = 0; written < 6; written += sizes.at(-1) ?? 0) {
      const { batch, answer } = await nextWrite();
      sizes.push(batch.length);
      answer();
      await turn();
    }
    assert.deepEqual(sizes, [1, 2, 2, 1]);
  });

  it('gives up only the one interval that the store can never take, and says so', async (t) => {
    const { add, acked, troubles, nextWrite, writes, count } = held(t);
    const first = add('a', 0);
    const others = ['b', 'c', 'd'].map((host) => add(host, 0));
    (await nextWrite()).answer();
    const refused = new Problem('ERR_STORE_REFUSED', 'MySQL at db:3306 does not take a value (out of range)');
    const together = await nextWrite();
    assert.deepEqual(together.batch, others);
    together.answer(refused);
    for (const key of others) {
      const { batch, answer } = await nextWrite();
      assert.deepEqual(batch, [key]);
      answer(key === others[1] ? refused : undefined);
    }
    await turn();
    assert.deepEqual(acked, [first, ...others]);
    assert.equal(await count('intervals'), 3);
    assert.equal(await count('refusedIntervals'), 1);
    assert.match(troubles.join(), /^an interval of c that ended at 2026-07-01T03:12:00.000Z cannot be stored: .*range/);
    assert.deepEqual(writes, []);
  });

  it('gives up an interval of a clock that no store can tell', async (t) => {
    const { ingest, acked, troubles, writes } = held(t);
    const endMs = Date.UTC(2038, 0, 19, 3, 14, 8);
    assert.equal(
      ingest.add('a', interval(0, { endMs }), () => acked.push('late')),
      true,
    );
    await turn();
    assert.deepEqual([acked, writes], [['late'], []]);
    assert.match(troubles.join(), /an interval of a that ended at 2038-01-19T03:14:08.000Z cannot be stored/);
  });

  it('acknowledges nothing after it was closed', async (t) => {
    const { ingest, add, acked, nextWrite, writes } = held(t);
    add('a', 1);
    const write = await nextWrite();
    ingest.close();
    write.answer(new Error('the store is closed'));
    await turn();
    assert.deepEqual(acked, []);
    assert.deepEqual(writes, []);
  });
});

describe('an agent’s interval', { timeout: 30_000 }, () => {
  it('is acknowledged over the wire when it is stored, under the host of the hello', async (t) => {
    const server = await openServer(t);
    const agent = await server.agent('web-1');
    agent.wire.send({ type: 'interval', interval: interval(3) });
    assert.deepEqual(await agent.wire.next('ack'), { type: 'ack', endMs: interval(3).endMs });
    assert.deepEqual(server.store.written, [{ host: 'web-1', interval: interval(3) }]);
    assert.equal(await server.metric('procmesh_intervals_total'), 1);
  });

  it('that was sent again after a reconnect is acknowledged on the new connection', async (t) => {
    const server = await openServer(t);
    const stored = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    server.store.onWrite = () => {
      reached.resolve();
      return stored.promise;
    };
    const before = await server.agent('web-1');
    before.wire.send({ type: 'interval', interval: interval(3) });
    await reached.promise;
    before.wire.socket.terminate();
    const after = await server.agent('web-1');
    after.wire.send({ type: 'interval', interval: interval(3) });
    await after.wire.settled();
    assert.deepEqual(after.wire.taken('ack'), []);
    stored.resolve();
    assert.deepEqual(await after.wire.next('ack'), { type: 'ack', endMs: interval(3).endMs });
    assert.equal(server.store.written.length, 1);
  });

  it('is deferred when too many wait for the store, for some seconds', async (t) => {
    const server = await openServer(t);
    server.store.onWrite = () => new Promise(() => undefined);
    const agent = await server.agent('web-1');
    const processes = Array.from({ length: 9_999 }, (_, index) => aProcess({ pid: index + 1 }));
    for (let step = 0; step < 11; step += 1)
      agent.wire.send({ type: 'interval', interval: interval(step, { processes }) });
    const { endMs, afterMs } = await agent.wire.next('defer');
    assert.equal(endMs, interval(10).endMs);
    assert.ok(afterMs >= 2_000 && afterMs <= 4_000, String(afterMs));
    assert.deepEqual(agent.wire.taken('ack'), []);
  });

  it('is acknowledged when the store takes it at last, and the trouble is told', async (t) => {
    const server = await openServer(t);
    let refusals = 1;
    server.store.onWrite = async () => {
      refusals -= 1;
      if (refusals >= 0) throw new Error('the disk is full');
    };
    const agent = await server.agent('web-1');
    agent.wire.send({ type: 'interval', interval: interval(3) });
    await agent.wire.next('ack');
    assert.deepEqual(
      server.troubles.map(({ message }) => message),
      ['the disk is full'],
    );
  });
});
