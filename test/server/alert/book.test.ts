import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Problem } from '../../../src/problem.ts';
import { AlertBook } from '../../../src/server/alert/book.ts';
import type { Verdict } from '../../../src/server/alert/verdict.ts';
import type { Alert } from '../../../src/store/fleet.ts';
import { FakeFleet } from '../../support/fake-fleet.ts';
import { clock, NOW, settled } from './clock.ts';

const MINUTE = 60_000;
const bad = (fields: Partial<Verdict> = {}): Verdict => ({
  host: 'web-1',
  kind: 'cpu',
  isWell: false,
  text: 'cpu 97 %',
  ...fields,
});
const well = (fields: Partial<Verdict> = {}): Verdict => bad({ isWell: true, text: 'cpu has room again', ...fields });

async function opened(t: TestContext, fleet = new FakeFleet()) {
  const { pass } = clock(t);
  const troubles: string[] = [];
  const open = async () => {
    const told: Alert[] = [];
    const book = new AlertBook({ fleet, onTrouble: ({ message }) => troubles.push(message) });
    t.after(() => book.stop());
    book.on('told', (alert) => told.push(alert));
    await book.start();
    return { book, told };
  };
  /** The same verdict every ten seconds. @returns minutes after `NOW` at which it was told. */
  const lasting = async (book: AlertBook, told: Alert[], verdict: Verdict, forMs: number): Promise<number[]> => {
    const before = told.length;
    for (let passed = 0; passed < forMs; passed += 10_000) {
      book.judge(verdict);
      await pass(10_000, 10_000);
    }
    return told.slice(before).map(({ atMs }) => Math.round((atMs - NOW) / 6_000) / 10);
  };
  return { fleet, troubles, pass, lasting, open, ...(await open()) };
}

describe('alert book', { timeout: 30_000 }, () => {
  it('alerts once, and announces once that it is over', async (t) => {
    const { book, told, fleet, pass } = await opened(t);
    book.judge(bad());
    book.judge(bad());
    await pass(90_000);
    book.judge(well());
    book.judge(well());
    await settled();
    assert.deepEqual(told, [
      { host: 'web-1', kind: 'cpu', istate: 1, remarks: 'cpu 97 %', atMs: NOW },
      { host: 'web-1', kind: 'cpu', istate: 0, remarks: 'cpu has room again, it took 90 s', atMs: NOW + 90_000 },
    ]);
    assert.deepEqual(await fleet.unsentAlerts(0, 10), told);
  });

  it('says nothing of what was always well', async (t) => {
    const { book, told } = await opened(t);
    book.judge(well());
    assert.deepEqual(told, []);
  });

  it('reminds after 5, 10, 20 and 40 minutes, and then no more', async (t) => {
    const { book, told, lasting } = await opened(t);
    assert.deepEqual(await lasting(book, told, bad(), 300 * MINUTE), [0, 5, 15, 35, 75]);
    book.judge(well());
    assert.equal(told.at(-1)?.remarks, 'cpu has room again, it took 5 h');
  });

  it('alerts what comes and goes as seldom as it would remind, and each time says that it is over', async (t) => {
    const { book, told, pass } = await opened(t);
    for (let turns = 0; turns < 200; turns += 1) {
      book.judge(bad());
      await pass(15_000, 15_000);
      book.judge(well());
      await pass(15_000, 15_000);
    }
    const minutes = told.filter(({ istate }) => istate === 1).map(({ atMs }) => Math.round((atMs - NOW) / MINUTE));
    assert.deepEqual(minutes, [0, 5, 15, 35, 75]);
    assert.equal(told.length, 10);
  });

  it('begins anew after a calm hour', async (t) => {
    const { book, told, lasting, pass } = await opened(t);
    await lasting(book, told, bad(), 300 * MINUTE);
    book.judge(well());
    await pass(61 * MINUTE, MINUTE);
    const again = await lasting(book, told, bad(), 10 * MINUTE);
    assert.equal(again.length, 2);
  });

  it('keeps hosts and kinds apart', async (t) => {
    const { book, told } = await opened(t);
    for (const verdict of [bad(), bad({ host: 'web-2' }), bad({ kind: 'mem' })]) book.judge(verdict);
    assert.equal(told.length, 3);
    book.judge(well({ kind: 'mem' }));
    assert.deepEqual(book.openHosts('cpu'), ['web-1', 'web-2']);
    assert.deepEqual(book.openHosts('mem'), []);
  });

  it('tells each reason once, without reminders', async (t) => {
    const { book, told, lasting, fleet, pass } = await opened(t);
    const failed = (attempt: number, reason: string) =>
      bad({ kind: 'deploy', text: `cannot be deployed (attempt ${attempt}): ${reason}`, reason });
    await lasting(book, told, failed(1, 'disk full'), 60 * MINUTE);
    for (const [attempt, reason] of ['no route', 'disk full', 'no route'].entries())
      book.judge(failed(attempt, reason));
    assert.deepEqual(
      told.map(({ remarks }) => remarks),
      ['cannot be deployed (attempt 1): disk full', 'cannot be deployed (attempt 0): no route'],
    );
    await pass(0);
    book.judge(failed(1, 'no rights'));
    await pass(0);
    assert.equal(fleet.alerts.length, 3);
    for (let attempt = 0; attempt < 100; attempt += 1) book.judge(failed(attempt, `reason ${attempt}`));
    assert.equal(told.length, 5);
  });

  it('tells each act at once, however many there are, and each only once', async (t) => {
    const { book, told, open, fleet, pass } = await opened(t);
    const halted = (version: number) => {
      const reason = `release ${version} halted at db-07: it crashed`;
      return bad({ kind: 'release', text: `${reason}; all others stay on 0`, reason, isOfAct: true });
    };
    for (const version of [1, 2, 3, 4, 5, 6, 7]) for (const _ of [1, 2]) book.judge(halted(version));
    assert.equal(told.length, 7);
    book.judge(well({ kind: 'release', text: 'release 8 is on all hosts' }));
    book.judge(halted(9));
    assert.equal(told.at(-1)?.remarks, 'release 9 halted at db-07: it crashed; all others stay on 0');
    await pass(0);
    book.stop();
    const next = await open();
    for (const version of [9, 10, 11]) next.book.judge(halted(version));
    await pass(0);
    assert.equal(next.told.length, 2);
    assert.equal(fleet.alerts.filter(({ istate }) => istate === 1).length, 10);
  });

  it('remembers over a restart what is open, and announces that it is over', async (t) => {
    const { book, open, lasting, pass } = await opened(t);
    book.judge(bad());
    await pass(MINUTE);
    book.stop();
    const next = await open();
    assert.deepEqual(next.book.openHosts('cpu'), ['web-1']);
    assert.deepEqual(await lasting(next.book, next.told, bad(), 120 * MINUTE), [40]);
    next.book.judge(well());
    assert.equal(next.told.at(-1)?.remarks, 'cpu has room again');
  });

  it('says how long it took only if it knows when that began', async (t) => {
    const { book, open, fleet, pass } = await opened(t);
    const other = await open();
    const remarks = (): string | undefined => fleet.alerts.at(-1)?.remarks;
    book.judge(bad());
    await pass(10 * MINUTE, 10_000);
    book.judge(bad());
    await pass(2 * MINUTE, 10_000);
    other.book.judge(well());
    await pass(0);
    assert.equal(remarks(), 'cpu has room again, it took 12 min');
    // As agents write it: a whole five minutes, that were over when it was told.
    const agents = { host: 'procmesh', kind: 'server' } as const;
    await fleet.alert({ ...agents, istate: 1, remarks: 'no server can be reached', atMs: Date.now() - 4 * MINUTE });
    await pass(2 * MINUTE, 10_000);
    book.judge(well({ ...agents, text: 'a server can be reached again' }));
    await pass(0);
    assert.equal(remarks(), 'a server can be reached again');
  });

  it('does not alert again at once what came and went before a restart', async (t) => {
    const { book, open, pass } = await opened(t);
    book.judge(bad());
    book.judge(well());
    await pass(0);
    const next = await open();
    next.book.judge(bad());
    assert.deepEqual(next.told, []);
    await pass(5 * MINUTE);
    next.book.judge(bad());
    assert.equal(next.told.length, 1);
  });

  it('writes nothing that another server has written just before', async (t) => {
    const { book, open, fleet, pass } = await opened(t);
    const other = await open();
    book.judge(bad());
    await pass(3_000);
    other.book.judge(bad({ text: 'cpu 98 %' }));
    await pass(0);
    assert.deepEqual(
      fleet.alerts.map(({ remarks }) => remarks),
      ['cpu 97 %'],
    );
  });

  it('announces the end of what another server alerted, for a host that has moved here', async (t) => {
    const { book, open, fleet, pass } = await opened(t);
    const other = await open();
    book.judge(bad());
    await pass(2 * MINUTE);
    other.book.judge(well());
    await pass(2 * MINUTE);
    book.judge(well());
    await pass(0);
    assert.deepEqual(
      fleet.alerts.map(({ istate }) => istate),
      [1, 0],
    );
  });

  it('announces no end that another server has announced just before', async (t) => {
    const { book, open, fleet, pass } = await opened(t);
    const other = await open();
    const said = () => fleet.alerts.map(({ istate }) => istate);
    book.judge(bad());
    await pass(61_000);
    book.judge(well());
    await pass(3_000);
    // It has not read that yet.
    assert.deepEqual(other.book.openHosts('cpu'), ['web-1']);
    other.book.judge(well());
    await pass(0);
    assert.deepEqual(said(), [1, 0]);
  });

  it('keeps both words of its own on what another server has closed', async (t) => {
    const { book, open, fleet, pass } = await opened(t);
    const other = await open();
    for (const verdict of [bad(), well()]) book.judge(verdict);
    await pass(10_000);
    for (const verdict of [bad(), well()]) other.book.judge(verdict);
    await pass(0);
    assert.deepEqual(
      fleet.alerts.map(({ istate }) => istate),
      [1, 0, 1, 0],
    );
  });

  it('keeps in order, and brings into the store later, what it did not take', async (t) => {
    const { book, fleet, troubles, pass } = await opened(t);
    fleet.onCall = async () => {
      throw new TypeError('away');
    };
    book.judge(bad());
    await pass(MINUTE);
    book.judge(well());
    await pass(MINUTE);
    assert.equal(fleet.alerts.length, 0);
    assert.ok(troubles.includes('away'));
    fleet.onCall = async () => undefined;
    await pass(MINUTE);
    assert.deepEqual(
      fleet.alerts.map(({ istate, atMs }) => [istate, atMs - NOW]),
      [
        [1, 0],
        [0, MINUTE],
      ],
    );
  });

  it('is not held up by one that the store refuses for good', async (t) => {
    const { book, fleet, troubles, pass } = await opened(t);
    t.mock.method(fleet, 'alert', async () => {
      t.mock.restoreAll();
      throw new Problem('ERR_STORE_REFUSED', 'does not take a value');
    });
    for (const host of ['web-1', 'web-2']) book.judge(bad({ host }));
    await pass(0);
    assert.deepEqual(troubles, ['does not take a value']);
    assert.deepEqual(
      fleet.alerts.map(({ host }) => host),
      ['web-2'],
    );
  });

  it('says nothing before it has read what was said, but that the store takes nothing', async (t) => {
    const fleet = new FakeFleet();
    fleet.onCall = async () => {
      throw new Error('away');
    };
    const { book, told, pass } = await opened(t, fleet);
    book.judge(bad());
    book.judge(bad({ host: 'srv-1', kind: 'store', text: 'history cannot be stored' }));
    assert.deepEqual(
      told.map(({ kind }) => kind),
      ['store'],
    );
    fleet.onCall = async () => undefined;
    await pass(5_000);
    book.judge(bad());
    assert.equal(told.length, 2);
  });

  it('cuts what a host says without measure', async (t) => {
    const { book, told } = await opened(t);
    book.judge(bad({ text: '数'.repeat(10_000) }));
    assert.ok(Buffer.byteLength(told[0]?.remarks ?? '') <= 500);
  });

  it('gives two words within a second different seconds', async (t) => {
    const { book, told } = await opened(t);
    book.judge(bad());
    book.judge(well());
    assert.deepEqual(
      told.map(({ atMs }) => atMs - NOW),
      [0, 1_000],
    );
  });

  it('is not silenced by a clock that is set back', async (t) => {
    const { book, told, lasting } = await opened(t);
    t.mock.timers.setTime(NOW + 86_400_000);
    book.judge(bad());
    book.judge(well());
    t.mock.timers.setTime(NOW);
    t.mock.method(performance, 'now', () => Date.now() - NOW + 90_000_000_000);
    assert.equal((await lasting(book, told, bad(), 10_000)).length, 1);
  });
});
