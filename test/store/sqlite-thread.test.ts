import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { StoreThread } from '../../src/store/sqlite-thread.ts';

/**
 * A thread that answers `open`, and every other request with what `body` says; `reply(value)` posts a whole answer.
 * A message on the channel makes it post the first part of a long answer.
 */
function thread(t: TestContext, body: string, limits = { requests: 3, deadlineMs: 60_000 }): StoreThread {
  const program = `
    import { parentPort } from 'node:worker_threads';
    const reply = (value, more = false) => parentPort.postMessage({ value, more });
    let held = [];
    const late = new BroadcastChannel('procmesh late answer');
    late.onmessage = () => reply({ rows: [] }, true);
    late.unref();
    parentPort.on('message', ({ call, args }) => {
      if (call === 'open') return reply(undefined);
      if (call === 'close') return parentPort.close();
      ${body}
    });`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const made = new StoreThread(url, '', 'reader', limits);
  t.after(() => made.close());
  return made;
}

const stopped = { name: 'Problem', code: 'ERR_STORE_STOPPED' };

describe('store thread', () => {
  it('answers in order', async (t) => {
    const echo = thread(t, 'reply(args[0])');
    await echo.ready;
    assert.deepEqual(await Promise.all([1, 2, 3].map((n) => echo.request('prune', n, 0))), [1, 2, 3]);
  });

  it('collects an answer that comes in parts', async (t) => {
    const parts = thread(
      t,
      `if (call === 'more') parentPort.postMessage({ rows: [held++], more: held < 4 });
      else { held = 1; reply({ atMs: 7, rows: [0] }, true); }`,
    );
    const answer: unknown = await parts.request('processes', { atMs: 7 });
    assert.deepEqual(answer, { atMs: 7, rows: [0, 1, 2, 3] });
  });

  it('refuses requests past its limit, and takes them again when some are answered', async (t) => {
    const echo = thread(t, 'reply(args[0])');
    await echo.ready;
    const taken = [1, 2, 3].map((n) => echo.request('prune', n, 0));
    await assert.rejects(echo.request('prune', 4, 0), { name: 'Problem', code: 'ERR_STORE_BUSY' });
    await Promise.all(taken);
    assert.equal(await echo.request('prune', 5, 0), 5);
  });

  it('rejects at the deadline, does not begin what has waited for so long, and goes on after a late answer', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    // The first call is answered when the test says so; later ones with all that were begun.
    const late = thread(
      t,
      `held.push(args[0] ?? call);
      if (held.length > 1) reply(held);`,
    );
    await late.ready;
    const running = late.request('prune', 1, 0);
    const waiting = late.request('prune', 2, 0);
    t.mock.timers.tick(60_000);
    await assert.rejects(running, { name: 'Problem', code: 'ERR_STORE_SLOW' });
    await assert.rejects(waiting, { name: 'Problem', code: 'ERR_STORE_SLOW' });
    const next = late.request('prune', 3, 0);
    const go = new BroadcastChannel('procmesh late answer');
    go.postMessage('');
    go.close();
    // Nor has it asked for the rest of the late answer.
    assert.deepEqual(await next, [1, 3]);
    t.mock.timers.reset();
  });

  it('rejects what is unanswered, and all that follows, when the thread dies', async (t) => {
    const dying = thread(t, "throw new Error('out of luck')");
    await dying.ready;
    const pending = [1, 2].map((n) => dying.request('prune', n, 0));
    for (const one of pending) await assert.rejects(one, stopped);
    await assert.rejects(dying.request('knownHosts'), stopped);
  });

  it('rejects what is unanswered when the thread ends without a word', async (t) => {
    const leaving = thread(t, 'process.exit(0)');
    await assert.rejects(leaving.request('knownHosts'), stopped);
  });

  it('stops a thread that does not close by the deadline', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const stuck = thread(t, '');
    await stuck.ready;
    const unanswered = stuck.request('knownHosts');
    const closed = stuck.close();
    t.mock.timers.tick(60_000);
    await assert.rejects(unanswered, { code: 'ERR_STORE_SLOW' });
    await closed;
    t.mock.timers.reset();
  });

  it('hands on an error that is a bug with its stack', async (t) => {
    const buggy = thread(t, "parentPort.postMessage({ bug: new RangeError('off by one') })");
    await assert.rejects(buggy.request('knownHosts'), { name: 'RangeError', message: 'off by one', stack: /at / });
  });
});
