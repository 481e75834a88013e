import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { aRow } from '../support/fake-agent.ts';
import { type Fleet, newest, openFleet, shown } from '../support/fleet.ts';
import { processQuery } from '../support/test-server.ts';

const RENEW_MS = 5_000;
const tables = () => ({ a: [aRow('a', 1, 50), aRow('a', 2, 5)], b: [aRow('b', 1, 40)] });

/** What agents were asked since the last call: `watch 1` or `unwatch 1`. */
function asked(fleet: Fleet): string[] {
  return [...fleet.agents.values()].flatMap(({ asked: messages }) =>
    messages.splice(0).map((message) => `${message.type} ${'id' in message ? message.id : ''}`),
  );
}

describe('agents', { timeout: 30_000 }, () => {
  it('are asked nothing while nobody looks', async (t) => {
    const fleet = await openFleet(t, tables());
    await fleet.sampleAll();
    await fleet.pass(RENEW_MS);
    for (const agent of fleet.agents.values()) assert.deepEqual(agent.wire.received, []);
  });

  it('are asked nothing for a view of the hosts', async (t) => {
    const fleet = await openFleet(t, tables());
    await fleet.ask({ view: 'hosts', sort: 'cpu', limit: 10 });
    await fleet.sampleAll();
    for (const agent of fleet.agents.values()) assert.deepEqual(agent.wire.received, []);
  });

  it('are asked once for a question of two viewers, and the second has the answer at once', async (t) => {
    const fleet = await openFleet(t, tables());
    const first = await fleet.ask(processQuery());
    assert.deepEqual(asked(fleet), ['watch 1', 'watch 1']);
    const second = await fleet.server.viewer(processQuery());
    const { id: _, ...answer } = await second.next('rows');
    const { id: __, ...known } = newest(first);
    assert.deepEqual(answer, known);
    await fleet.rest();
    assert.deepEqual(asked(fleet), []);
    await fleet.sampleAll();
    assert.equal(first.taken('rows').length, 1);
    assert.equal(second.taken('rows').length, 1);
  });

  it('are asked for each different question, and each viewer hears the answers to its own', async (t) => {
    const fleet = await openFleet(t, tables());
    const whole = await fleet.ask(processQuery());
    const one = await fleet.ask(processQuery({ host: 'b' }));
    assert.deepEqual(asked(fleet), ['watch 1', 'watch 1', 'watch 2']);
    await fleet.sampleAll();
    assert.deepEqual(shown(newest(whole)), ['a:1 50', 'b:1 40', 'a:2 5']);
    assert.deepEqual(shown(newest(one)), ['b:1 40']);
  });

  it('are told to stop when the last viewer leaves, not before', async (t) => {
    const fleet = await openFleet(t, tables());
    const first = await fleet.ask(processQuery());
    const second = await fleet.ask(processQuery());
    asked(fleet);
    first.send({ type: 'unsubscribe', id: 1 });
    await fleet.rest();
    assert.deepEqual(asked(fleet), []);
    await fleet.sampleAll();
    assert.equal(second.taken('rows').length > 0, true);
    second.socket.terminate();
    while (asked(fleet).join() !== 'unwatch 1,unwatch 1') await fleet.rest();
    for (const agent of fleet.agents.values()) assert.equal(agent.watched.size, 0);
    await fleet.pass(RENEW_MS);
    assert.deepEqual(asked(fleet), []);
    first.taken('rows');
    await fleet.sampleAll();
    assert.deepEqual(first.received, []);
  });

  it('are asked anew by who looks after everybody had left', async (t) => {
    const fleet = await openFleet(t, tables());
    const first = await fleet.ask(processQuery());
    first.send({ type: 'unsubscribe', id: 1 });
    await fleet.rest();
    asked(fleet);
    const second = await fleet.ask(processQuery());
    assert.deepEqual(asked(fleet), ['watch 2', 'watch 2']);
    assert.deepEqual(shown(newest(second)), ['a:1 50', 'b:1 40', 'a:2 5']);
  });

  it('are asked again every five seconds, well before they stop by themselves', async (t) => {
    const fleet = await openFleet(t, tables());
    await fleet.ask(processQuery());
    const [watch] = fleet.agent('a').asked;
    assert.ok(watch?.type === 'watch' && watch.ttlMs >= 2 * RENEW_MS);
    asked(fleet);
    await fleet.pass(RENEW_MS - 100);
    assert.deepEqual(asked(fleet), []);
    await fleet.pass(100);
    assert.deepEqual(asked(fleet), ['watch 1', 'watch 1']);
    assert.equal(fleet.agent('a').watched.size, 1);
  });

  it('that answer what nobody asked are not heard', async (t) => {
    const fleet = await openFleet(t, tables());
    const viewer = await fleet.ask(processQuery());
    viewer.taken('rows');
    const { atMs, usage, wire } = fleet.agent('a');
    const total = { host: 'a', at: new Date(atMs).toISOString(), ...usage };
    wire.send({ type: 'rows', id: 999, atMs, total, rows: [aRow('a', 9, 99)] });
    await fleet.rest();
    assert.deepEqual(viewer.received, []);
  });
});
