import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Reach } from '../../src/agent/reach.ts';
import { helloSchema } from '../../src/protocol/message.ts';

const NOW = Date.UTC(2026, 10, 23, 3, 12);
const [A, B] = ['wss://a:9300', 'wss://b:9300'];

/** An agent of two servers whose clocks a test sets. */
function reach(t: TestContext, servers = 2) {
  let monotonic = 1_000;
  t.mock.timers.enable({ apis: ['Date'], now: NOW });
  t.mock.method(performance, 'now', () => monotonic);
  const pass = (ms: number): void => {
    monotonic += ms;
    t.mock.timers.setTime(Date.now() + ms);
  };
  return { reach: new Reach(servers), pass };
}

describe('what an agent can reach', () => {
  it('names each server it failed to reach once, with the last reason, until one welcomes it', (t) => {
    const { reach: agent } = reach(t);
    assert.deepEqual(agent.unreachable, []);
    agent.failed(A, 'the server has gone silent');
    agent.failed(B, 'nothing listens there');
    agent.failed(A, 'it does not answer');
    assert.deepEqual(agent.unreachable, [
      { server: B, reason: 'nothing listens there' },
      { server: A, reason: 'it does not answer' },
    ]);
    agent.reached();
    assert.deepEqual(agent.unreachable, []);
  });

  it('is not nothing while a server answers, if only to refuse it', (t) => {
    const { reach: agent, pass } = reach(t);
    const dial = (refuses: boolean): unknown[] => {
      pass(20_000);
      return [
        agent.failed(A, 'nothing listens there'),
        refuses ? agent.refused(B, 'the server refuses the token') : agent.failed(B, 'nothing listens there'),
      ];
    };
    for (let round = 0; round < 10; round += 1) assert.deepEqual(dial(true), [undefined, false]);
    assert.equal(agent.unreachable[1]?.reason, 'the server refuses the token');
    assert.deepEqual([...dial(false), ...dial(false), ...dial(false)].filter((since) => since !== undefined).length, 1);
    assert.deepEqual(dial(true), [undefined, true]);
  });

  it('fits into a hello however many servers and words there are', (t) => {
    const { reach: agent } = reach(t, 20);
    for (let server = 0; server < 20; server += 1) agent.failed(`wss://s${server}:9300`, 'x'.repeat(1_000));
    const { unreachable } = agent;
    const outbox = { waiting: 0, dropped: 0 };
    const hello = helloSchema.parse({ type: 'hello', host: 'h', version: '1', outbox, unreachable });
    assert.deepEqual(
      hello.unreachable?.map(({ server }) => server),
      Array.from({ length: 10 }, (_, index) => `wss://s${index + 10}:9300`),
    );
  });

  it('is nothing once each server has failed three times, for half a minute: it tells since when, once', (t) => {
    const { reach: agent, pass } = reach(t);
    for (let dial = 0; dial < 6; dial += 1) {
      assert.equal(agent.failed(dial % 2 === 0 ? A : B, 'no'), undefined);
      pass(dial < 5 ? 1_000 : 24_999);
    }
    assert.equal(agent.failed(A, 'no'), undefined);
    pass(1);
    assert.equal(agent.failed(B, 'no'), NOW);
    pass(600_000);
    assert.equal(agent.failed(A, 'no'), undefined);
    assert.equal(agent.reached(), true);
    assert.equal(agent.reached(), false);
  });

  it('is not nothing before each has failed three times, however long that takes', (t) => {
    const { reach: agent, pass } = reach(t);
    for (let dial = 0; dial < 5; dial += 1) {
      assert.equal(agent.failed(A, 'no'), undefined);
      pass(60_000);
    }
    assert.equal(agent.failed(A, 'no'), NOW);
  });

  it('counts anew once a server has welcomed it', (t) => {
    const { reach: agent, pass } = reach(t, 1);
    for (let dial = 0; dial < 5; dial += 1) {
      agent.failed(A, 'no');
      pass(5_000);
    }
    assert.equal(agent.reached(), false);
    for (let dial = 0; dial < 6; dial += 1) {
      assert.equal(agent.failed(A, 'no'), undefined);
      pass(5_000);
    }
    assert.equal(agent.failed(A, 'no'), NOW + 25_000);
    agent.reached();
    agent.failed(A, 'no');
    pass(60_000);
    assert.equal(agent.failed(A, 'no'), undefined);
  });

  it('does not depend on a clock that jumps', (t) => {
    const { reach: agent, pass } = reach(t, 1);
    for (let dial = 0; dial < 9; dial += 1) {
      assert.equal(agent.failed(A, 'no'), undefined);
      t.mock.timers.setTime(NOW + dial * 3_600_000);
    }
    pass(30_000);
    assert.equal(agent.failed(A, 'no'), NOW);
  });
});
