import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { Agent } from '../../src/agent/agent.ts';
import { claim } from '../../src/agent/alert-table.ts';
import type { KernelAccess } from '../../src/agent/kernel-access.ts';
import { LastResort } from '../../src/agent/last-resort.ts';
import type { AlertAccess } from '../../src/alert-channel/access.ts';
import { emptyDatabase } from '../store/mysql-database.ts';
import { FakeProc } from '../support/fake-proc.ts';
import { MariaDb } from '../support/mariadb.ts';
import { scratchFolder } from '../support/scratch.ts';
import { WecomStandIn } from '../support/wecom.ts';

const mariadb = new MariaDb();
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());

const EDGE_S = Date.UTC(2026, 10, 23, 12) / 1000;
const SERVERS = [
  { server: 'wss://10.0.0.5:9300', reason: 'ECONNREFUSED' },
  { server: 'wss://10.0.0.6:9300', reason: 'the server has gone silent' },
];

/** The tables, an account that may select from and insert into the alerts alone, and a robot. */
async function opened(t: TestContext) {
  const { address } = await emptyDatabase(mariadb);
  mariadb.script(`SET GLOBAL init_connect = '';
    CREATE OR REPLACE USER monitor_alert@'127.0.0.1' IDENTIFIED BY 'pass3';
    GRANT select, insert ON dbzz_monitor.tb_monitor_alert_info TO monitor_alert@'127.0.0.1';`);
  const robot = await WecomStandIn.start(t);
  const access: AlertAccess = {
    ...{ ...address, user: 'monitor_alert', password: 'pass3' },
    ...{ wecomUrl: robot.url, webhookUrl: robot.webhookUrl },
  };
  const troubles: string[] = [];
  const agent = (host: string, fields: Partial<AlertAccess> = {}): LastResort => {
    const onTrouble = ({ message }: Error) => void troubles.push(message);
    const made = new LastResort({ host, access: { ...access, ...fields }, onTrouble, random: () => 0 });
    t.after(() => made.reachedAgain());
    return made;
  };
  const rows = () =>
    mariadb.script('SELECT rshost, kind, istate, a_time, remarks FROM dbzz_monitor.tb_monitor_alert_info');
  return { access, robot, agent, troubles, rows };
}

/** The database's clock of every connection to come; a function of the connection's number. */
function databaseClock(epochS: string | number): void {
  mariadb.script(`SET GLOBAL init_connect = 'SET timestamp = ${epochS}'`);
}

const times = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('last resort', { timeout: 60_000 }, () => {
  it('has one agent of many tell, by each channel once, which servers, since when and by whom', async (t) => {
    const { robot, agent, rows, access } = await opened(t);
    const since = Date.UTC(2026, 10, 23, 3, 12);
    for (const index of times(8)) agent(`web-${index}`).alone(since, SERVERS);
    await robot.requests(2);
    // What comes later finds the row there.
    assert.deepEqual(
      await Promise.all(times(5).map(() => claim(access, 'again'))),
      times(5).map(() => false),
    );
    assert.equal(robot.bodies.length, 2);
    assert.match(
      robot.texts[0] ?? '',
      /^procmesh\n\d\d:\d\d:\d\dZ ALERT procmesh: no server can be reached since 2026-11-23T03:12:00Z, says web-\d \(wss:\/\/10\.0\.0\.5:9300: ECONNREFUSED; wss:\/\/10\.0\.0\.6:9300: the server has gone silent\)$/,
    );
    assert.equal(rows().trim().split('\n').length, 1 + 2);
  });

  it('writes whole five minutes of UTC, by the database’s clock', async (t) => {
    const { access, rows } = await opened(t);
    databaseClock(EDGE_S + 299);
    assert.equal(await claim(access, 'gone'), true);
    assert.match(
      rows(),
      /\nprocmesh\tserver\t1\t2026-11-23 11:55:00\tgone\nprocmesh\tserver\t1\t2026-11-23 12:00:00\tgone\n$/,
    );
  });

  it('has one agent win where they are on both sides of an edge', async (t) => {
    const { access, rows } = await opened(t);
    databaseClock(`${EDGE_S} - (CONNECTION_ID() % 2)`);
    for (const round of times(20)) {
      mariadb.script('TRUNCATE dbzz_monitor.tb_monitor_alert_info');
      const won = await Promise.all(times(6).map((index) => claim(access, `agent ${index}`)));
      assert.equal(won.filter((isWon) => isWon).length, 1, `round ${round}: ${won}\n${rows()}`);
    }
  });

  it('tells again after 5, 10, 20 and 40 minutes at the earliest, and not more than five times in two hours', async (t) => {
    const { access } = await opened(t);
    const told: number[] = [];
    for (let minute = 0; minute < 180; minute += 5) {
      databaseClock(EDGE_S + 60 * minute);
      if (await claim(access, 'gone')) told.push(minute);
    }
    assert.deepEqual(told, [0, 10, 25, 50, 95, 130, 155]);
  });

  it('says in the log alone, once for each reason, that the database is away as well', async (t) => {
    const { robot, agent, troubles } = await opened(t);
    const { promise, resolve } = Promise.withResolvers<void>();
    const closed = createServer((socket) => {
      socket.destroy();
      resolve();
    }).listen(0, '127.0.0.1');
    await once(closed, 'listening');
    t.after(() => closed.close());
    agent('web-1', { port: (closed.address() as AddressInfo).port }).alone(0, SERVERS);
    await promise;
    while (troubles.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.match(troubles[0] ?? '', /^that no server can be reached cannot be told: MySQL at 127\.0\.0\.1:\d+: /);
    assert.deepEqual(robot.bodies, []);
  });

  it('never says a password or the key of a robot', async (t) => {
    const { agent, troubles, robot } = await opened(t);
    robot.mood = 'redirects';
    agent('web-1', { password: 'wrong-secret' }).alone(0, SERVERS);
    while (troubles.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.match(troubles[0] ?? '', /ER_ACCESS_DENIED_ERROR$/);
    assert.doesNotMatch(troubles.join(), /wrong-secret|test-key/);
  });

  it('sends again what a channel did not take, without holding up the other', async (t) => {
    const { robot, agent, access } = await opened(t);
    robot.mood = 'fails';
    agent('web-1').alone(0, SERVERS);
    await robot.requests(2);
    robot.mood = 'well';
    await robot.requests(4);
    assert.equal(robot.texts.length, 1);
    assert.equal(await claim(access, 'another'), false);
  });

  it('asks again as long as no server is reached, and tells again when it is time', async (t) => {
    const { robot, agent } = await opened(t);
    databaseClock(EDGE_S);
    const { promise: asked, resolve } = Promise.withResolvers<() => void>();
    const { setTimeout: real } = globalThis;
    t.mock.method(globalThis, 'setTimeout', (run: () => void, wait: number) => {
      if (wait !== 30_000) return real(run, wait);
      resolve(run);
      return undefined;
    });
    const told = agent('web-1');
    told.alone(0, SERVERS);
    const again = await asked;
    assert.equal(robot.texts.length, 1);
    databaseClock(EDGE_S + 600);
    again();
    await robot.requests(4);
    assert.equal(robot.texts.length, 2);
    told.reachedAgain();
  });

  it('is what an agent does that is given the account', async (t) => {
    const { access, robot } = await opened(t);
    // It takes half a minute to be sure.
    let elapsed = 0;
    t.mock.method(performance, 'now', () => elapsed);
    t.mock.method(Math, 'random', () => 0);
    const dir = scratchFolder(t);
    const proc = new FakeProc(dir);
    const agent = new Agent({
      ...{ host: 'db1', version: '1', servers: ['ws://127.0.0.1:1'], token: () => 'token', alerts: access },
      ...{ dataDir: join(dir, 'agent'), procRoot: proc.procRoot, sysRoot: proc.sysRoot, passwdPath: proc.passwdPath },
      kernel: { libc: undefined } as unknown as KernelAccess,
      openSources: () => ({
        network: undefined,
        exits: undefined,
        refusals: { network: [], exits: [] },
        close: () => undefined,
      }),
    });
    t.after(() => agent.stop());
    agent.on('status', () => {
      elapsed += 10_000;
    });
    agent.start();
    await robot.requests(2);
    assert.match(robot.texts[0] ?? '', /says db1 \(ws:\/\/127\.0\.0\.1:1: nothing listens there\)$/);
  });

  it('writes the right second in the hour that a time zone has twice', async (t) => {
    const { access } = await opened(t);
    mariadb.loadTimeZones(['Europe/Berlin']);
    mariadb.script("SET GLOBAL time_zone = 'Europe/Berlin'");
    t.after(() => mariadb.script("SET GLOBAL time_zone = 'SYSTEM'"));
    for (const hour of [0, 1]) {
      const epochS = Date.UTC(2026, 9, 25, hour, 5) / 1000;
      mariadb.script('TRUNCATE dbzz_monitor.tb_monitor_alert_info');
      databaseClock(epochS);
      assert.equal(await claim(access, 'gone'), true);
      const sql = 'SELECT MAX(UNIX_TIMESTAMP(a_time)) FROM dbzz_monitor.tb_monitor_alert_info';
      assert.equal(Number(mariadb.script(sql).split('\n')[1]), epochS);
    }
  });

  it('does nothing when a server is reached again before its turn', async (t) => {
    const { agent, access } = await opened(t);
    const told = agent('web-1');
    const set = t.mock.method(globalThis, 'setTimeout');
    const cleared = t.mock.method(globalThis, 'clearTimeout');
    told.alone(0, SERVERS);
    told.reachedAgain();
    assert.equal(cleared.mock.calls.at(-1)?.arguments[0], set.mock.calls[0]?.result);
    t.mock.restoreAll();
    assert.equal(await claim(access, 'another'), true);
  });
});
