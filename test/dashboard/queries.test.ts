import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Connection } from 'mysql2/promise';
import { INTERVAL, madeUp } from './data.ts';
import { rowsOf, TestDatabase } from './database.ts';
import { EXPECTED_SERIES } from './expected.ts';
import { EXPECTED_TABLES } from './expected-tables.ts';
import { allQueries, exportedDashboard } from './exported.ts';
import { expand, type Question } from './question.ts';
import { Reference, type Series } from './reference.ts';

/** In America/New_York the hour that begins here is 01:00 to 02:00, and so is the one after it. */
const FOLD = Date.UTC(2026, 10, 1, 5) / 1000;
const HOUR = 3600;
const HOSTS = Array.from({ length: 12 }, (_, index) => `db${String(index + 1).padStart(2, '0')}`);
/** Around half past, in both hours; one interval is missing. */
const STEPS = [-3, -2, -1, 1, 2, 3];
const ENDS = [FOLD, FOLD + HOUR].flatMap((hour) => STEPS.map((step) => hour + HOUR / 2 + step * INTERVAL));
const DATA = madeUp(HOSTS, ENDS);

const [ONE = ''] = HOSTS;
const QUESTIONS: { [what: string]: Question } = {
  'one host, the first of the hours': {
    ...{ hosts: [ONE], from: FOLD, to: FOLD + HOUR, stepSeconds: INTERVAL },
  },
  'two hosts, the second of the hours, one instance': {
    ...{ hosts: HOSTS.slice(1, 3), instances: ['postgres:5432'] },
    ...{ from: FOLD + HOUR, to: FOLD + 2 * HOUR, stepSeconds: 2 * INTERVAL },
  },
  'all hosts, from late in the first hour until early in the second': {
    // Local time of this end is before that of the beginning.
    ...{ hosts: HOSTS, from: FOLD + HOUR / 2, to: FOLD + HOUR + HOUR / 2 - INTERVAL, stepSeconds: 2 * INTERVAL },
  },
  'all hosts, points of five minutes': {
    ...{ hosts: HOSTS, from: FOLD - HOUR, to: FOLD + 3 * HOUR, stepSeconds: 10 * INTERVAL },
  },
  'a time without any interval': { hosts: HOSTS, from: FOLD - 2 * HOUR, to: FOLD - HOUR, stepSeconds: INTERVAL },
};

describe('queries of the dashboard', () => {
  const dashboard = exportedDashboard();
  const queries = allQueries(dashboard);
  const allInstances = dashboard.templating.list.find(({ name }) => name === 'instance')?.allValue ?? '';
  const database = new TestDatabase();
  before(async () => {
    await database.create([FOLD - 29 * HOUR, FOLD - 5 * HOUR, FOLD + 19 * HOUR]);
    await database.insert(DATA);
  });
  after(() => database.remove());

  it('are all tested', () => {
    const tested = [...EXPECTED_SERIES.keys(), ...EXPECTED_TABLES.keys(), 'variable host', 'variable instance'];
    assert.deepEqual(tested.sort(), [...queries.keys()].sort());
  });

  for (const zone of ['+00:00', '+08:00', 'Asia/Shanghai', 'America/New_York']) {
    describe(`in a session of ${zone}`, () => {
      let session: Connection;
      before(async () => {
        session = await database.asGrafana(zone);
      });

      for (const [what, question] of Object.entries(QUESTIONS)) {
        it(`draw the right series: ${what}`, async () => {
          const reference = new Reference(DATA, question);
          for (const [query, expected] of EXPECTED_SERIES) {
            const { sql, filled } = expand(queries.get(query) ?? '', question, allInstances);
            assert.ok(filled, `${query} draws a line where there are no intervals`);
            assertSameSeries(seriesOf(await rowsOf(session, sql)), expected(reference), query);
          }
        });

        it(`show the right tables: ${what}`, async () => {
          const reference = new Reference(DATA, question);
          for (const [query, expected] of EXPECTED_TABLES) {
            const { sql } = expand(queries.get(query) ?? '', question, allInstances);
            assertSameRows(await rowsOf(session, sql), expected(reference), query);
          }
        });

        it(`offer what can be chosen: ${what}`, async () => {
          const offered = async (variable: string): Promise<unknown[]> => {
            const { sql } = expand(queries.get(`variable ${variable}`) ?? '', question, allInstances);
            return (await rowsOf(session, sql)).flatMap((row) => Object.values(row)).sort();
          };
          const all = new Reference(DATA, { ...question, instances: undefined });
          assert.deepEqual(await offered('host'), HOSTS);
          assert.deepEqual(
            await offered('instance'),
            [...new Set(all.processes().map(({ instance }) => instance))].sort(),
          );
        });
      }
    });
  }

  it('make instances, unattributed and others add up to the host', async () => {
    const session = await database.asGrafana('+00:00');
    const question: Question = { hosts: [ONE], from: FOLD, to: FOLD + HOUR, stepSeconds: 2 * INTERVAL };
    for (const what of ['CPU', 'read', 'write', 'net in', 'net out']) {
      const [instances, unattributed, others, host] = await Promise.all(
        ['A', 'B', 'C', 'D'].map(async (refId) => {
          const sql = queries.get(`panel ${what}: what it is made of ${refId}`) ?? '';
          return seriesOf(await rowsOf(session, expand(sql, question, allInstances).sql));
        }),
      );
      const parts = [instances, unattributed, others].flatMap((series) => [...(series?.values() ?? [])]);
      const points = [...(host?.values() ?? [])].flatMap((values) => [...values]);
      assert.ok(parts.length >= 5 && points.length >= 3, what);
      for (const [time, whole] of points) {
        const added = parts.reduce((sum, values) => sum + (values.get(time) ?? 0), 0);
        assert.ok(Math.abs(added - (whole ?? Number.NaN)) < 1e-6, `${what}: ${added} of ${whole}`);
      }
    }
  });
});

/** As Grafana reads a time series in rows: sorted by time, one value for each point of each series. */
function seriesOf(rows: Awaited<ReturnType<typeof rowsOf>>): Series {
  const series: Series = new Map();
  let before = 0;
  for (const row of rows) {
    assert.deepEqual(Object.keys(row), ['time', 'metric', 'value']);
    const { time, metric, value } = row;
    assert.ok(typeof time === 'number' && typeof metric === 'string' && typeof value !== 'string', JSON.stringify(row));
    assert.ok(time >= before, 'not sorted by time');
    before = time;
    const values = series.get(metric) ?? new Map<number, number | null>();
    assert.ok(!values.has(time), `${metric} has two values at ${time}`);
    series.set(metric, values.set(time, value ?? null));
  }
  return series;
}

function assertSameSeries(actual: Series, expected: Series, query: string): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort(), query);
  for (const [name, values] of expected) {
    const found = actual.get(name) ?? new Map();
    assert.deepEqual([...found.keys()].sort(), [...values.keys()].sort(), `${query}: ${name}`);
    for (const [time, value] of values) assertSame(found.get(time) ?? null, value, `${query}: ${name} at ${time}`);
  }
}

function assertSameRows(actual: Awaited<ReturnType<typeof rowsOf>>, expected: typeof actual, query: string): void {
  assert.equal(actual.length, expected.length, query);
  for (const [index, row] of expected.entries()) {
    assert.deepEqual(Object.keys(actual[index] ?? {}), Object.keys(row), query);
    for (const [column, value] of Object.entries(row)) {
      assertSame(actual[index]?.[column] ?? null, value, `${query}: ${column} of row ${index}`);
    }
  }
}

function assertSame(actual: number | string | null, expected: number | string | null, where: string): void {
  if (typeof actual !== 'number' || typeof expected !== 'number') assert.equal(actual, expected, where);
  else {
    const allowed = 1e-9 * Math.max(1, Math.abs(expected));
    assert.ok(Math.abs(actual - expected) <= allowed, `${where}: ${actual}, not ${expected}`);
  }
}
