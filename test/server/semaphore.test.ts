import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Semaphore } from '../../src/server/semaphore.ts';

const { signal } = new AbortController();

describe('semaphore', { timeout: 30_000 }, () => {
  it('lets so many through, and the others in the order they came', async () => {
    const places = new Semaphore(2);
    const order: string[] = [];
    const enter = (name: string) =>
      places.acquire(signal).then((leave) => {
        order.push(name);
        return leave;
      });
    const [leave, leaveToo] = await Promise.all([enter('a'), enter('b')]);
    const waiting = [enter('c'), enter('d')];
    assert.deepEqual(order, ['a', 'b']);
    leave();
    leave();
    await waiting[0];
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(order, ['a', 'b', 'c'], 'a place that was given back twice is one place');
    leaveToo();
    await waiting[1];
    assert.deepEqual(order, ['a', 'b', 'c', 'd']);
  });

  it('forgets whoever gives up waiting', async () => {
    const places = new Semaphore(1);
    const leave = await places.acquire(signal);
    const impatient = new AbortController();
    const given = places.acquire(impatient.signal);
    const patient = places.acquire(signal);
    impatient.abort(new Error('enough'));
    await assert.rejects(given, /enough/);
    await assert.rejects(places.acquire(impatient.signal), /enough/);
    leave();
    (await patient)();
    (await places.acquire(signal))();
  });
});
