import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Connection } from 'mysql2/promise';
import type { Limits } from '../../src/store/budget.ts';
import { MysqlStore } from '../../src/store/mysql.ts';
import type { MysqlAddress } from '../../src/store/mysql-sessions.ts';
import { MariaDb } from '../support/mariadb.ts';
import { emptyDatabase } from './mysql-database.ts';
import { aProcess, interval, STEP, T0 } from './sample.ts';

const mariadb = new MariaDb();
let address: MysqlAddress;
let admin: Connection;
before(async () => {
  await mariadb.create();
  admin = await mariadb.admin();
});
after(async () => {
  await admin.end();
  await mariadb.remove();
});
beforeEach(async () => {
  ({ address } = await emptyDatabase(mariadb));
});

/** A store with these limits, as long as the work takes. */
async function using<T>(limits: Limits | undefined, work: (store: MysqlStore) => Promise<T>): Promise<T> {
  const store = new MysqlStore(address, limits);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

describe('mysql reader at its limits', () => {
  const both = { atMs: T0 + STEP, windowMs: 2 * STEP };
  beforeEach(() =>
    using(undefined, async (store) => {
      for (const [host, size] of Object.entries({ big: 30, small: 3, tiny: 1 })) {
        const processes = Array.from({ length: size }, (_, index) =>
          aProcess({ pid: index + 1, cpuPercent: index, rssBytes: 100 - index }),
        );
        await store.write([0, 1].map((step) => ({ host, interval: interval(step, { processes }) })));
      }
    }),
  );

  it('leaves out the processes of a host that would be too many records, and reads smaller hosts', async () => {
    const { rows, hosts, incomplete } = await using({ records: 14, rows: 1_000 }, (store) => store.processes(both));
    assert.deepEqual(rows.map((row) => row.host).sort(), ['small', 'small', 'small', 'tiny']);
    assert.equal(hosts.length, 3);
    const reason = 'too much history for one answer: ask for one host or a shorter window';
    assert.deepEqual(incomplete, [{ host: 'big', reason }]);
  });

  for (const [name, question] of Object.entries({ 'one interval': { atMs: T0 }, 'a window': both }))
    it(`hands over the largest processes of ${name} that has too many, and says so`, async () => {
      const { rows, incomplete } = await using({ records: 1_000, rows: 12 }, (store) =>
        store.processes({ ...question, host: 'big' }),
      );
      const largest = rows.map(({ pid }) => pid);
      assert.ok(largest.length <= 12 && [1, 2, 29, 30].every((pid) => largest.includes(pid)), largest.join());
      const reason = 'only its largest processes: ask for one host or a shorter window';
      assert.deepEqual(incomplete, [{ host: 'big', reason }]);
    });
});

describe('times in MySQL', () => {
  it('are the same instants in sessions of any zone, over a daylight-saving change', async () => {
    // In America/New_York the hour from 05:00 to 06:00 UTC is 01:00 to 02:00, and so is the one after it.
    const hour = 3_600_000;
    const change = Date.UTC(2026, 10, 1, 5, 30);
    const steps = [0, hour, 2 * hour].map((ms) => ({ endMs: change + ms, startMs: change + ms - STEP }));
    await using(undefined, (store) =>
      store.write(
        steps.map((times, index) => ({ host: 'a', interval: interval(0, { ...times, samples: index + 1 }) })),
      ),
    );
    for (const zone of ['+00:00', '+08:00', '-05:00', ...(await namedZones(['Asia/Shanghai', 'America/New_York']))]) {
      await admin.query('SET time_zone = ?', [zone]);
      const [rows] = await admin.query(
        'SELECT samples, UNIX_TIMESTAMP(a_time) AS at FROM dbzz_monitor.tb_monitor_host_info ORDER BY samples',
      );
      assert.deepEqual(
        rows,
        steps.map(({ endMs }, index) => ({ samples: index + 1, at: endMs / 1000 })),
        zone,
      );
    }
    for (const [index, { endMs }] of steps.entries()) {
      const [point] = await using(undefined, (store) => store.series({ host: 'a', atMs: endMs, limit: 9 }));
      assert.equal(point?.at, new Date(endMs).toISOString(), String(index));
    }
  });

  /** Loads the zones that the machine knows into the server. */
  async function namedZones(zones: string[]): Promise<string[]> {
    mariadb.loadTimeZones(zones);
    return zones;
  }
});

describe('queries to MySQL', () => {
  it('read no more than the interval asked for of a host that has many', async () => {
    const intervals = Array.from({ length: 500 }, (_, step) => ({ host: 'a', interval: interval(step) }));
    await using(undefined, async (store) => {
      await store.write([...intervals, ...intervals.map(({ interval: one }) => ({ host: 'b', interval: one }))]);
      await store.processes({ host: 'a', atMs: T0 });
    });
    const reads = async (work: (store: MysqlStore) => Promise<unknown>): Promise<number> => {
      const read = async (): Promise<number> => {
        const [rows] = await admin.query("SHOW GLOBAL STATUS LIKE 'Handler\\_read\\_%'");
        return (rows as { Value: string }[]).reduce((sum, { Value }) => sum + Number(Value), 0);
      };
      return using(undefined, async (store) => {
        await store.knownHosts();
        const before = await read();
        await work(store);
        return (await read()) - before;
      });
    };
    const one = { host: 'a', atMs: T0 + 250 * STEP };
    const window = { ...one, windowMs: 10 * STEP };
    // Of a thousand intervals and as many processes.
    assert.ok((await reads((store) => store.processes(one))) < 50);
    assert.ok((await reads((store) => store.hosts(one))) < 50);
    assert.ok((await reads((store) => store.processes(window))) < 150);
    assert.ok((await reads((store) => store.series({ ...window, limit: 5 }))) < 50);
    assert.ok((await reads((store) => store.peaks(window))) < 200);
    assert.ok((await reads((store) => store.knownHosts())) < 50);
  });
});
