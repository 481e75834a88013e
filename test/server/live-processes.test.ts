import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { processRowSchema } from '../../src/protocol/row.ts';
import { aRow } from '../support/fake-agent.ts';
import { newest, openFleet, PATIENCE_MS, shown } from '../support/fleet.ts';
import { processQuery } from '../support/test-server.ts';

const tables = () => ({
  a: [aRow('a', 1, 50), aRow('a', 2, 10), aRow('a', 3, 30)],
  b: [aRow('b', 1, 40), aRow('b', 2, 20)],
  c: [],
});

describe('a live process query', { timeout: 30_000 }, () => {
  it('is answered with the largest rows of all hosts, and the figures of each', async (t) => {
    const fleet = await openFleet(t, tables());
    fleet.agent('b').usage = { ...fleet.agent('b').usage, cpuPercent: 77 };
    await fleet.sampleAll();
    const answer = newest(await fleet.ask(processQuery({ limit: 3 })));
    assert.deepEqual(shown(answer), ['a:1 50', 'b:1 40', 'a:3 30']);
    assert.deepEqual(processRowSchema.parse(answer.rows[0]), answer.rows[0]);
    assert.deepEqual(answer.rows[0], aRow('a', 1, 50));
    const at = new Date(fleet.agent('b').atMs).toISOString();
    assert.equal(answer.at, at);
    assert.deepEqual(
      answer.totals.find(({ host }) => host === 'b'),
      { host: 'b', at, ...fleet.agent('b').usage },
    );
    assert.deepEqual(answer.totals.map(({ host }) => host).toSorted(), ['a', 'b', 'c']);
    assert.equal(answer.incomplete, undefined);
    assert.equal(answer.id, 1);
  });

  it('is answered again with every sample, with figures of the very sample the rows are from', async (t) => {
    const fleet = await openFleet(t, tables());
    const viewer = await fleet.ask(processQuery());
    newest(viewer);
    const agent = fleet.agent('a');
    agent.usage = { ...agent.usage, cpuPercent: 61 };
    agent.sample([aRow('a', 2, 60)]);
    await fleet.rest();
    const answer = newest(viewer);
    assert.deepEqual(shown(answer), ['a:2 60', 'b:1 40', 'b:2 20']);
    const total = answer.totals.find(({ host }) => host === 'a');
    assert.equal(total?.cpuPercent, 61);
    assert.equal(total?.at, new Date(agent.atMs).toISOString());
  });

  it('concerns one host when it names one, and nobody else is asked', async (t) => {
    const fleet = await openFleet(t, tables());
    const answer = newest(await fleet.ask(processQuery({ host: 'b' })));
    assert.deepEqual(shown(answer), ['b:1 40', 'b:2 20']);
    assert.deepEqual(
      answer.totals.map(({ host }) => host),
      ['b'],
    );
    assert.deepEqual(fleet.agent('a').asked, []);
  });

  it('of one host asks no other host that comes, and shows no figures but those the rows add up to', async (t) => {
    const fleet = await openFleet(t, tables());
    const viewer = await fleet.ask(processQuery({ host: 'a' }));
    const other = await fleet.add('d', [aRow('d', 1, 99)]);
    await fleet.rest();
    assert.deepEqual(other.asked, []);
    viewer.taken('rows');
    const agent = fleet.agent('a');
    agent.usage = { ...agent.usage, cpuPercent: 61 };
    await fleet.sampleAll();
    const answers = viewer.taken('rows').filter((answer) => 'totals' in answer);
    assert.notEqual(answers.length, 0);
    for (const { at, totals } of answers) assert.deepEqual(totals, [{ host: 'a', at, ...agent.usage }]);
  });

  it('is filtered and sorted where the processes are', async (t) => {
    const fleet = await openFleet(t, {
      a: [aRow('a', 1, 50, { user: 'root', rssBytes: 10 }), aRow('a', 2, 10, { rssBytes: 30 })],
      b: [aRow('b', 1, 40, { rssBytes: 20 })],
    });
    const query = processQuery({ filter: 'user:mysql', sort: 'mem' });
    const answer = newest(await fleet.ask(query));
    assert.deepEqual(shown(answer), ['a:2 10', 'b:1 40']);
    const [watch] = fleet.agent('a').asked;
    assert.ok(watch?.type === 'watch');
    assert.deepEqual(watch.query, query);
  });

  it('adds up users over hosts and instances per host', async (t) => {
    const fleet = await openFleet(t, {
      a: [aRow('a', 1, 50), aRow('a', 2, 5, { user: 'root', instance: 'cron' })],
      b: [aRow('b', 1, 40), aRow('b', 2, 8)],
    });
    const users = newest(await fleet.ask(processQuery({ groupBy: 'user' })));
    assert.deepEqual(
      users.rows.map((row) => [
        row.host,
        'group' in row && row.group,
        'processes' in row && row.processes,
        row.cpuPercent,
      ]),
      [
        [undefined, 'mysql', 3, 98],
        [undefined, 'root', 1, 5],
      ],
    );
    const instances = newest(await fleet.ask(processQuery({ groupBy: 'instance' })));
    assert.deepEqual(shown(instances), ['a/mysqld:3307 50', 'b/mysqld:3307 48', 'a/cron 5']);
  });

  it('finds a group that is the largest of all though no host has it first', async (t) => {
    const fleet = await openFleet(t, {
      a: [aRow('a', 1, 50, { comm: 'x' }), aRow('a', 2, 40, { comm: 'both' })],
      b: [aRow('b', 1, 50, { comm: 'y' }), aRow('b', 2, 40, { comm: 'both' })],
    });
    const viewer = await fleet.ask(processQuery({ groupBy: 'comm', limit: 1 }));
    assert.deepEqual(shown(newest(viewer)), ['undefined/both 80']);
    await fleet.sampleAll();
    assert.deepEqual(shown(newest(viewer)), ['undefined/both 80']);
  });

  it('goes on without a host that went away, and says so', async (t) => {
    const fleet = await openFleet(t, tables());
    const viewer = await fleet.ask(processQuery());
    newest(viewer);
    await fleet.remove('a');
    await fleet.rest();
    const answer = newest(viewer);
    assert.deepEqual(shown(answer), ['b:1 40', 'b:2 20']);
    assert.deepEqual(answer.totals.map(({ host }) => host).toSorted(), ['b', 'c']);
    assert.deepEqual(answer.incomplete, [{ host: 'a', reason: 'offline' }]);
  });

  it('takes in a host that comes, and one that comes back', async (t) => {
    const fleet = await openFleet(t, tables());
    const viewer = await fleet.ask(processQuery({ limit: 2 }));
    await fleet.add('d', [aRow('d', 1, 45)]);
    await fleet.rest();
    assert.deepEqual(shown(newest(viewer)), ['a:1 50', 'd:1 45']);
    await fleet.remove('a');
    await fleet.rest();
    assert.deepEqual(shown(newest(viewer)), ['d:1 45', 'b:1 40']);
    await fleet.add('a', [aRow('a', 9, 44)]);
    await fleet.rest();
    const answer = newest(viewer);
    assert.deepEqual(shown(answer), ['d:1 45', 'a:9 44']);
    assert.equal(answer.incomplete, undefined);
  });

  it('waits a second for a host that does not answer, then goes without it and says so', async (t) => {
    const fleet = await openFleet(t, tables());
    fleet.agent('a').isMute = true;
    const viewer = await fleet.ask(processQuery());
    await fleet.pass(PATIENCE_MS - 100);
    assert.deepEqual(viewer.taken('rows'), []);
    await fleet.pass(100);
    const answer = newest(viewer);
    assert.deepEqual(shown(answer), ['b:1 40', 'b:2 20']);
    assert.deepEqual(answer.incomplete, [{ host: 'a', reason: 'has not answered in time' }]);
    assert.equal(
      answer.totals.some(({ host }) => host === 'a'),
      false,
    );

    fleet.agent('a').isMute = false;
    await fleet.sampleAll();
    assert.equal(newest(viewer).incomplete, undefined);
  });

  it('is not held up by a host that goes away before it has answered', async (t) => {
    const fleet = await openFleet(t, tables());
    fleet.agent('a').isMute = true;
    const viewer = await fleet.ask(processQuery());
    await fleet.remove('a');
    await fleet.rest();
    assert.deepEqual(newest(viewer).incomplete, [{ host: 'a', reason: 'offline' }]);
  });

  it('is answered within a second when no host is there', async (t) => {
    const fleet = await openFleet(t);
    const viewer = await fleet.ask(processQuery({ host: 'nosuch' }));
    await fleet.pass(PATIENCE_MS);
    const { rows, totals, incomplete } = newest(viewer);
    assert.deepEqual(
      { rows, totals, incomplete },
      { rows: [], totals: [], incomplete: [{ host: 'nosuch', reason: 'not known to this server' }] },
    );
  });

  it('takes no rows that speak for another host: whoever sends them is turned away', async (t) => {
    const fleet = await openFleet(t, tables());
    const [liar, impostor] = [fleet.agent('b'), fleet.agent('c')];
    for (const { host } of [liar, impostor]) fleet.agents.delete(host);
    liar.table = [aRow('a', 666, 100), aRow('b', 1, 1)];
    Object.assign(impostor, { host: 'a' });
    const viewer = await fleet.ask(processQuery());
    for (const { wire } of [liar, impostor])
      assert.deepEqual(await wire.closed, { code: 4400, reason: 'rows of another host' });
    await fleet.rest();
    const answer = newest(viewer);
    assert.deepEqual(shown(answer), ['a:1 50', 'a:3 30', 'a:2 10']);
    assert.deepEqual(
      answer.incomplete?.map(({ host }) => host),
      ['b', 'c'],
    );
  });
});
