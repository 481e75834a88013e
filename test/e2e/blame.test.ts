import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { emptyDatabase } from '../store/mysql-database.ts';
import { Command } from '../support/command.ts';
import { MariaDb } from '../support/mariadb.ts';
import { readMetric } from '../support/metric.ts';
import { HOST, openMesh, until } from './mesh.ts';

const BURN_MS = 8_000;
const SAMPLE_MS = 500;
/** Burns CPU time for so long, and says how much it got. It has an instance of its own, whatever else of Node.js runs on the machine. */
const BURNER = `const end = performance.now() + ${BURN_MS}; while (performance.now() < end);
const { user, system } = process.cpuUsage(); console.log((user + system) / 1000);`;

const mariadb = new MariaDb();
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());

describe('a load at a known time', { timeout: 120_000 }, () => {
  for (const store of ['sqlite', 'mysql'])
    it(`is named by blame, with what it used, from ${store}`, async (t) => {
      const { address } = await emptyDatabase(mariadb);
      const mesh = await openMesh(t, {
        PROCMESH_GLOBAL_INTERVAL_TIME: '2',
        PROCMESH_GLOBAL_SAMPLE_TIME: String(SAMPLE_MS / 1_000),
        ...(store === 'mysql' && {
          PROCMESH_MONITOR_MYSQL_HOST: address.host,
          PROCMESH_MONITOR_MYSQL_PORT: String(address.port),
          PROCMESH_MONITOR_MYSQL_PASS: address.password,
        }),
      });
      await mesh.server();
      await mesh.agent();
      const stored = () => readMetric(mesh.port, 'procmesh_intervals_total');
      await until(async () => (await stored()) >= 1);
      const beganAt = Date.now();
      const burner = new Command(t, process.execPath, ['-e', BURNER, '--', '--port=7'], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const cpuMs = Number((await burner.finished).stdout);
      const endedAt = Date.now();
      const sofar = await stored();
      await until(async () => (await stored()) >= sofar + 2);

      const window = `${Math.ceil((endedAt - beganAt) / 1000) + 2}s`;
      const at = new Date(endedAt + 500).toISOString();
      const { code, stdout, stderr } = await mesh.run(
        'blame',
        '--host',
        HOST,
        '--at',
        at,
        '--window',
        window,
        '--json',
      );
      assert.deepEqual([code, stderr], [0, '']);
      const { host, from, to, coveredMs, resources } = JSON.parse(stdout);
      assert.equal(host, HOST);
      assert.ok(Date.parse(from) <= beganAt + 500 && Date.parse(to) >= endedAt);
      const [cpu] = resources;
      const culprit = cpu.culprits.find(({ pids }: { pids: number[] }) => pids.includes(burner.pid));
      assert.equal(culprit?.instance, 'node:7', stdout);
      const share = (100 * culprit.avg) / cpu.hostAvg;
      assert.ok(Math.abs(culprit.sharePercent - share) < 0.01);
      // What it used, averaged over the window. Where it began and ended an interval may be off by a sample.
      const measuredMs = (culprit.avg / 100) * coveredMs;
      assert.ok(Math.abs(measuredMs - cpuMs) < 2 * SAMPLE_MS, `${measuredMs} ms of ${cpuMs} ms`);
      assert.ok(culprit.max <= cpu.hostMax && culprit.max >= culprit.avg);
      const sum = cpu.culprits.reduce(
        (all: number, { avg }: { avg: number }) => all + avg,
        cpu.others + cpu.unattributed,
      );
      assert.ok(Math.abs(sum - cpu.hostAvg) < 0.01, `${sum} of ${cpu.hostAvg}`);
    });
});
