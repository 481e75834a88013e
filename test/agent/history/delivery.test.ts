import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Delivery } from '../../../src/agent/history/delivery.ts';
import { Outbox } from '../../../src/agent/history/outbox.ts';
import { interval } from '../../store/sample.ts';
import { scratchFolder } from '../../support/scratch.ts';

const end = (step: number): number => interval(step).endMs;

/** Lets everything run that was set off; reading an interval takes no longer. */
const rest = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A delivery with so many intervals in its outbox, to a server that a test plays; its time stands still. */
async function setUp(t: TestContext, waiting: number) {
  const outbox = new Outbox(scratchFolder(t));
  for (let step = 1; step <= waiting; step += 1) await outbox.append(interval(step));
  let nowMs = 1_000_000;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(performance, 'now', () => nowMs);
  const sent: number[] = [];
  const delivery = new Delivery(outbox, ({ endMs }) => sent.push(endMs) > 0);
  t.after(() => delivery.close());
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
    t.mock.timers.tick(ms);
    await rest();
  };
  /** What was sent since it was asked last. */
  const taken = (): number[] => sent.splice(0);
  return { outbox, delivery, pass, taken };
}

describe('delivery of intervals', { timeout: 30_000 }, () => {
  it('sends nothing before a server listens', async (t) => {
    const { delivery, taken } = await setUp(t, 2);
    void delivery.run();
    await rest();
    assert.deepEqual(taken(), []);
    delivery.open();
    await rest();
    assert.deepEqual(taken(), [1, 2].map(end));
  });

  it('goes no faster than twenty intervals a second after a break', async (t) => {
    const { delivery, pass, taken } = await setUp(t, 100);
    delivery.open();
    await rest();
    const acknowledgeAll = async (): Promise<number> => {
      let count = 0;
      for (let some = taken(); some.length > 0; some = taken()) {
        count += some.length;
        for (const endMs of some) await delivery.acknowledged(endMs);
      }
      return count;
    };
    assert.equal(await acknowledgeAll(), 8);
    let sent = 0;
    for (let step = 0; step < 20; step += 1) {
      await pass(50);
      sent += await acknowledgeAll();
    }
    assert.equal(sent, 20);
  });

  it('keeps what the server defers, and all else, for as long as it says, and sends it again', async (t) => {
    const { outbox, delivery, pass, taken } = await setUp(t, 3);
    delivery.open();
    await rest();
    assert.deepEqual(taken(), [1, 2, 3].map(end));
    delivery.deferred(end(2), 2_000);
    await delivery.acknowledged(end(1));
    await outbox.append(interval(4));
    await pass(1_999);
    assert.deepEqual(taken(), []);
    await pass(1);
    // The third is still on its way.
    assert.deepEqual(taken(), [2, 4].map(end));
  });

  it('sends everything to the next server, whatever the last one deferred', async (t) => {
    const { delivery, taken } = await setUp(t, 2);
    delivery.open();
    await rest();
    delivery.deferred(end(1), 60_000);
    delivery.close();
    taken();
    delivery.open();
    await rest();
    assert.deepEqual(taken(), [1, 2].map(end));
  });

  it('brings everything after a cut of ten minutes, once, though it is cut again meanwhile', async (t) => {
    const { outbox, delivery, pass, taken } = await setUp(t, 600);
    const stored: number[] = [];
    /** The server stores and acknowledges whatever comes within so many steps of 50 ms; an interval ends every second. */
    const serve = async (steps: number): Promise<void> => {
      for (let step = 0; step < steps; step += 1) {
        if (step % 20 === 0) {
          await outbox.append(interval(601 + seconds));
          seconds += 1;
          void delivery.run();
        }
        for (let some = taken(); some.length > 0; some = taken())
          for (const endMs of some) {
            stored.push(endMs);
            await delivery.acknowledged(endMs);
          }
        await pass(50);
      }
    };
    let seconds = 0;
    delivery.open();
    await rest();
    await serve(200);
    // At the pace of twenty a second, and the burst at first.
    assert.ok(stored.length > 180 && stored.length <= 208, `${stored.length}`);
    // What was on its way has not come.
    delivery.close();
    taken();
    delivery.open();
    await rest();
    await serve(500);
    assert.equal(outbox.waiting, 0);
    assert.deepEqual(
      stored.sort((a, b) => a - b),
      Array.from({ length: 600 + seconds }, (_, index) => end(index + 1)),
    );
  });
});
