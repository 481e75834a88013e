import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProcessRow } from '../../src/protocol/row.ts';
import { aRow } from '../support/fake-agent.ts';
import { type Fleet, newest, openFleet, PATIENCE_MS, shown } from '../support/fleet.ts';
import { processQuery } from '../support/test-server.ts';

/** Processes of a host by their CPU, with pids from 1. */
function table(host: string, ...cpu: number[]): ProcessRow[] {
  return cpu.map((value, index) => aRow(host, index + 1, value));
}

/** The floor an agent was told last. */
function floorOf(fleet: Fleet, host: string): number | undefined {
  return [...fleet.agent(host).watched.values()].at(-1)?.watch.floor;
}

/** Counts the rows frames an agent sends from now on. */
function countRows(fleet: Fleet, host: string): () => number {
  const { socket } = fleet.agent(host).wire;
  let sent = 0;
  const send = socket.send.bind(socket);
  socket.send = ((text: string) => {
    if (text.startsWith('{"type":"rows"')) sent += 1;
    send(text);
  }) as typeof socket.send;
  return () => sent;
}

const big = () => ({ a: table('a', 100, 90, 10), b: table('b', 95, 5), small: table('small', 3, 2, 1) });

describe('the floor', { timeout: 30_000 }, () => {
  it('is four fifths of the last row shown, for questions over several hosts', async (t) => {
    const fleet = await openFleet(t, big());
    await fleet.ask(processQuery({ limit: 3 }));
    for (const host of fleet.agents.keys()) assert.equal(floorOf(fleet, host), 72);
  });

  for (const [what, query, hosts] of [
    ['one host', processQuery({ limit: 2, host: 'a' }), big()],
    ['groups', processQuery({ limit: 1, groupBy: 'user' }), big()],
    ['more rows than there are', processQuery({ limit: 100 }), big()],
    ['a fleet of one', processQuery({ limit: 1 }), { a: table('a', 100, 90) }],
    ['rows that are all zero', processQuery({ limit: 2 }), { a: table('a', 0, 0), b: table('b', 0) }],
  ] as const) {
    it(`is not there for ${what}`, async (t) => {
      const fleet = await openFleet(t, hosts);
      await fleet.ask(query);
      await fleet.sampleAll();
      for (const host of fleet.agents.keys()) assert.equal(floorOf(fleet, host), undefined);
    });
  }

  it('keeps a host that cannot matter silent, after it has said so once', async (t) => {
    const fleet = await openFleet(t, big());
    const sent = countRows(fleet, 'small');
    const viewer = await fleet.ask(processQuery({ limit: 3 }));
    assert.equal(sent(), 2, 'all of its rows, then that none reaches the floor');
    for (let round = 0; round < 5; round += 1) await fleet.sampleAll();
    assert.equal(sent(), 2);
    const answer = newest(viewer);
    assert.deepEqual(shown(answer), ['a:1 100', 'b:1 95', 'a:2 90']);
    assert.equal(answer.incomplete, undefined);
  });

  it('leaves a silent host in the totals, with figures of its latest sample', async (t) => {
    const fleet = await openFleet(t, big());
    const viewer = await fleet.ask(processQuery({ limit: 3 }));
    const small = fleet.agent('small');
    small.usage = { ...small.usage, cpuPercent: 6.5 };
    await fleet.sampleAll();
    await fleet.sampleAll();
    const total = newest(viewer).totals.find(({ host }) => host === 'small');
    assert.equal(total?.cpuPercent, 6.5);
    assert.equal(total?.at, new Date(small.atMs).toISOString());
  });

  it('is broken through by a host that comes to matter', async (t) => {
    const fleet = await openFleet(t, big());
    const viewer = await fleet.ask(processQuery({ limit: 3 }));
    fleet.agent('small').table = table('small', 3, 99);
    await fleet.sampleAll();
    assert.deepEqual(shown(newest(viewer)), ['a:1 100', 'small:2 99', 'b:1 95']);
  });

  it('is taken away when the rows fall below it, and what it held back is shown', async (t) => {
    const fleet = await openFleet(t, big());
    const viewer = await fleet.ask(processQuery({ limit: 3 }));
    await fleet.sampleAll();
    viewer.taken('rows');
    fleet.agent('a').table = table('a', 4, 2.5);
    fleet.agent('b').table = table('b', 0, 0);
    await fleet.sampleAll();
    for (const answer of viewer.taken('rows'))
      assert.deepEqual(shown(answer as never), ['a:1 4', 'small:1 3', 'a:2 2.5']);
    assert.equal(floorOf(fleet, 'small'), 2);
  });

  it('is taken away when the process that set it ends, or its host goes', async (t) => {
    const fleet = await openFleet(t, big());
    const viewer = await fleet.ask(processQuery({ limit: 3 }));
    viewer.taken('rows');
    await fleet.remove('a');
    await fleet.rest();
    for (const answer of viewer.taken('rows'))
      assert.deepEqual(shown(answer as never), ['b:1 95', 'b:2 5', 'small:1 3']);
  });

  it('rises with the rows, stays while they fall above it, and is put anew when they fall below', async (t) => {
    const fleet = await openFleet(t, { a: table('a', 100), b: table('b', 100, 50) });
    const viewer = await fleet.ask(processQuery({ limit: 2 }));
    const floors: (number | undefined)[] = [floorOf(fleet, 'b')];
    for (const value of [200, 161, 159]) {
      fleet.agent('a').table = table('a', 200);
      fleet.agent('b').table = table('b', value, 50);
      await fleet.sampleAll();
      assert.deepEqual(shown(newest(viewer)), ['a:1 200', `b:1 ${value}`]);
      floors.push(floorOf(fleet, 'b'));
    }
    assert.deepEqual(floors, [80, 160, 160, 159 * 0.8]);
    assert.equal(fleet.agent('b').watched.size, 1);
  });

  it('stays where it is while the last row changes little', async (t) => {
    const fleet = await openFleet(t, { a: table('a', 100), b: table('b', 100) });
    await fleet.ask(processQuery({ limit: 2 }));
    const { asked } = fleet.agent('a');
    asked.length = 0;
    for (const value of [105, 95, 110, 90]) {
      fleet.agent('b').table = table('b', value);
      await fleet.sampleAll();
    }
    assert.deepEqual(asked, []);
  });

  it('is not trusted in an answer that crossed its removal on the way', async (t) => {
    const fleet = await openFleet(t, { a: table('a', 100, 1), b: table('b', 100, 2) });
    const viewer = await fleet.ask(processQuery({ limit: 2 }));
    await fleet.sampleAll();
    viewer.taken('rows');
    // The floor is 80. Host a falls below it, so that everybody is asked anew; b has not heard that yet when it answers
    // its next sample, of which the old floor hides a row.
    const far = fleet.agent('b');
    fleet.agent('a').table = table('a', 10, 1);
    fleet.agent('a').sample();
    far.isFar = true;
    await fleet.pass(15);
    far.sample(table('b', 90, 70));
    await fleet.rest();
    const early = viewer.taken('rows');
    far.catchUp();
    await fleet.rest();
    for (const answer of [...early, newest(viewer)]) assert.deepEqual(shown(answer as never), ['b:1 90', 'b:2 70']);
  });

  it('does not vouch for a host that has not answered since it was taken away', async (t) => {
    const fleet = await openFleet(t, { a: table('a', 100, 1), b: table('b', 100, 50) });
    const viewer = await fleet.ask(processQuery({ limit: 2 }));
    viewer.taken('rows');
    fleet.agent('b').isMute = true;
    fleet.agent('a').sample(table('a', 10, 1));
    await fleet.rest();
    assert.deepEqual(viewer.received, []);
    await fleet.pass(PATIENCE_MS);
    const answer = newest(viewer);
    assert.deepEqual(shown(answer), ['a:1 10', 'a:2 1']);
    assert.deepEqual(answer.incomplete, [{ host: 'b', reason: 'has not answered in time' }]);
  });
});
