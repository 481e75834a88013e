import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { HostNotes } from '../../src/server/host-notes.ts';

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** Notes for a store that answers when a test has it answer. */
function opened(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked: string[] = [];
  const answers: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const write = (host: string, note: string): Promise<void> => {
    asked.push(`${host} ${note}`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    answers.push({ resolve, reject });
    return promise;
  };
  const troubles: string[] = [];
  const notes = new HostNotes({ write, onTrouble: ({ message }) => troubles.push(message) });
  return { notes, asked, answers, troubles };
}

describe('notes of hosts', { timeout: 30_000 }, () => {
  it('are written one after the other of a host, the newest only, and those of others beside them', async (t) => {
    const { notes, asked, answers } = opened(t);
    for (const note of ['1', '2', '3']) notes.set('a', note);
    notes.set('b', '1');
    assert.deepEqual(asked, ['a 1', 'b 1']);
    assert.deepEqual([notes.isWriting('a'), notes.isWaiting('a'), notes.isWaiting('b')], [true, true, false]);
    answers[0]?.resolve();
    await settled();
    assert.deepEqual(asked, ['a 1', 'b 1', 'a 3']);
    assert.equal(notes.isWaiting('a'), false);
  });

  it('are a thousand at the same time, no more', async (t) => {
    const { notes, asked, answers } = opened(t);
    for (let host = 0; host < 1_500; host += 1) notes.set(String(host), 'x');
    assert.equal(asked.length, 1_000);
    answers[0]?.resolve();
    await settled();
    assert.equal(asked.length, 1_001);
  });

  it('wait ever longer for a store that refuses them, which is told once until it takes one', async (t) => {
    const { notes, asked, answers, troubles } = opened(t);
    notes.set('a', '1');
    for (const waitMs of [500, 1_000]) {
      answers.at(-1)?.reject(new Error('away'));
      await settled();
      t.mock.timers.tick(waitMs - 1);
      assert.equal(asked.length, answers.length);
      const before = asked.length;
      t.mock.timers.tick(1);
      assert.equal(asked.length, before + 1);
    }
    assert.deepEqual(troubles, ['away']);
    answers.at(-1)?.resolve();
    await settled();
    notes.set('a', '2');
    answers.at(-1)?.reject(new Error('away again'));
    await settled();
    assert.deepEqual(troubles, ['away', 'away again']);
  });

  it('are drained before the end, newer ones not taken', async (t) => {
    const { notes, asked, answers } = opened(t);
    notes.set('a', '1');
    notes.set('a', '2');
    let isDrained = false;
    const drained = notes.drain(2_000).then(() => {
      isDrained = true;
    });
    notes.set('b', '1');
    answers[0]?.resolve();
    await settled();
    assert.deepEqual([asked, isDrained], [['a 1', 'a 2'], false]);
    answers[1]?.resolve();
    await drained;
  });

  it('are given up when they cannot be drained in time, and what fails after that is not tried again', async (t) => {
    const { notes, asked, answers, troubles } = opened(t);
    notes.set('a', '1');
    notes.set('a', '2');
    const drained = notes.drain(2_000);
    t.mock.timers.tick(2_000);
    await drained;
    answers[0]?.reject(new Error('away'));
    await settled();
    t.mock.timers.tick(60_000);
    notes.set('c', '1');
    assert.deepEqual([asked, troubles], [['a 1'], []]);
  });
});
