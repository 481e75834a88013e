import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Interval } from '../../src/protocol/interval.ts';
import { hostTotalSchema, processRowSchema } from '../../src/protocol/row.ts';
import { pointSchema } from '../../src/protocol/series.ts';
import type { ContractPart } from './contract.ts';
import { aProcess, interval, STEP, T0, usage } from './sample.ts';

/** What `processes`, `hosts` and `knownHosts` answer. */
export const historyContract: ContractPart = (opened) => {
  describe('history', () => {
    const write = (host: string, ...intervals: Interval[]): Promise<void> =>
      opened.store.write(intervals.map((one) => ({ host, interval: one })));

    it('gives back exactly what one interval recorded', async () => {
      const mysqld = aProcess({ unit: 'mysql@3307.service', container: 'c0ffee', readBytesPerSec: 0 });
      const idle = aProcess({ pid: 2, instance: 'kthreadd', cmdline: '', ports: [], cpuPercent: 1 / 3 });
      await write('a', interval(0, { processes: [mysqld, idle] }));

      const answer = await opened.store.processes({ atMs: T0 });

      assert.equal(answer.atMs, T0);
      assert.deepEqual(answer.incomplete, []);
      assert.deepEqual(
        answer.rows.toSorted((a, b) => a.pid - b.pid),
        [
          { host: 'a', ...idle },
          { host: 'a', ...mysqld },
        ],
      );
      assert.deepEqual(answer.hosts, [
        {
          total: { host: 'a', at: new Date(T0).toISOString(), ...usage() },
          max: interval(0).hostMax,
          fromMs: T0 - STEP,
          toMs: T0,
          coveredMs: STEP,
          intervals: 1,
        },
      ]);
      assert.deepEqual((await opened.store.hosts({ atMs: T0 })).hosts, answer.hosts);
      for (const row of answer.rows) processRowSchema.parse(row);
      for (const { total } of answer.hosts) hostTotalSchema.parse(total);
    });

    it('finds the interval that ends exactly then, and not the one that starts then', async () => {
      await write('a', interval(0, { processes: [aProcess({ pid: 1 })] }));
      await write('a', interval(1, { processes: [aProcess({ pid: 2 })] }));
      const pidsAt = async (atMs: number): Promise<number[]> =>
        (await opened.store.processes({ atMs })).rows.map((row) => row.pid);
      assert.deepEqual(await pidsAt(T0 - STEP), []);
      assert.deepEqual(await pidsAt(T0 - STEP + 1), [1]);
      assert.deepEqual(await pidsAt(T0), [1]);
      assert.deepEqual(await pidsAt(T0 + 1), [2]);
      assert.deepEqual(await pidsAt(T0 + STEP), [2]);
      assert.deepEqual(await pidsAt(T0 + STEP + 1), []);
    });

    it('takes into a window what overlaps it, whole, and not what only touches it', async () => {
      for (const step of [0, 1, 2, 3]) await write('a', interval(step));
      const span = async (atMs: number, windowMs: number): Promise<number[]> =>
        (await opened.store.hosts({ atMs, windowMs })).hosts.flatMap(({ fromMs, toMs, intervals }) => [
          (fromMs - T0) / STEP,
          (toMs - T0) / STEP,
          intervals,
        ]);
      assert.deepEqual(await span(T0 + 2 * STEP, STEP), [1, 2, 1]);
      assert.deepEqual(await span(T0 + 2 * STEP, STEP + 1), [0, 2, 2]);
      assert.deepEqual(await span(T0 + 2 * STEP + 1, STEP), [1, 3, 2]);
      assert.deepEqual(await span(T0 + 9 * STEP, 6 * STEP + 1), [2, 3, 1]);
      assert.deepEqual(await span(T0 + 9 * STEP, 6 * STEP), []);
      assert.deepEqual(await span(T0 + STEP, 1e12), [-1, 1, 2]);
    });

    it('says which hosts recorded nothing then', async () => {
      await write('a', interval(0));
      await write('b', interval(5));
      const missing = [{ host: 'b', reason: 'nothing was recorded then' }];
      assert.deepEqual((await opened.store.processes({ atMs: T0 })).incomplete, missing);
      const none = await opened.store.hosts({ host: 'b', atMs: T0 + 7 });
      assert.deepEqual(none, { atMs: T0 + 7, hosts: [], incomplete: missing });
    });

    it('averages over the covered time, weighted by length, and takes the largest maxima', async () => {
      const long = { startMs: T0, endMs: T0 + 3 * STEP };
      await write(
        'a',
        interval(0, {
          host: usage({ cpuPercent: 100, processes: 10, cores: 4, unattributed: { cpuPercent: 40 } }),
          processes: [
            aProcess({ pid: 1, cpuPercent: 100, cpuPercentMax: 400, state: 'S', threads: 1 }),
            aProcess({ pid: 2, cpuPercent: 20, cpuPercentMax: 30 }),
          ],
        }),
        interval(0, {
          ...long,
          host: usage({ cpuPercent: 200, processes: 20, cores: 8, unattributed: {} }),
          hostMax: { ...interval(0).hostMax, cpuPercent: 800, diskQueue: 1 },
          processes: [
            aProcess({ pid: 1, cpuPercent: 200, cpuPercentMax: 300, state: 'R', threads: 2, cmdline: 'renamed' }),
          ],
        }),
      );

      const { rows, hosts } = await opened.store.processes({ atMs: T0 + 3 * STEP, windowMs: 4 * STEP });
      const [one, two] = rows.toSorted((a, b) => a.pid - b.pid);
      assert.deepEqual([one?.cpuPercent, one?.cpuPercentMax], [175, 400]);
      assert.deepEqual([one?.state, one?.threads, one?.cmdline], ['R', 2, 'renamed']);
      // Recorded in a quarter of the time: shows a quarter.
      assert.deepEqual([two?.cpuPercent, two?.cpuPercentMax], [5, 30]);
      const [a] = hosts;
      assert.equal(a?.total.cpuPercent, 175);
      assert.equal(a?.total.processes, 18);
      assert.equal(a?.total.cores, 8);
      assert.deepEqual(a?.total.unattributed, { cpuPercent: 10 });
      assert.deepEqual([a?.max.cpuPercent, a?.max.diskQueue], [800, 4]);
      for (const { total } of hosts) hostTotalSchema.parse(total);
    });

    it('does not count a gap as covered time', async () => {
      await write('a', interval(0, { processes: [aProcess({ cpuPercent: 100 })] }));
      await write('a', interval(10, { processes: [aProcess({ cpuPercent: 50 })] }));
      const { rows, hosts } = await opened.store.processes({ atMs: T0 + 10 * STEP, windowMs: 20 * STEP });
      assert.equal(rows[0]?.cpuPercent, 75);
      const { fromMs, toMs, coveredMs, intervals } = hosts[0] ?? {};
      assert.deepEqual([fromMs, toMs, coveredMs, intervals], [T0 - STEP, T0 + 10 * STEP, 2 * STEP, 2]);
    });

    it('keeps what is not known apart from a measured zero', async () => {
      const unknown = { readBytesPerSec: undefined, readBytesPerSecMax: undefined };
      const zero = { writeBytesPerSec: 0, writeBytesPerSecMax: 0 };
      for (const step of [0, 1])
        await write(
          'a',
          interval(step, { processes: [aProcess({ ...unknown, ...zero, netInBytesPerSec: step ? 8 : undefined })] }),
        );
      const [row] = (await opened.store.processes({ atMs: T0 + STEP, windowMs: 2 * STEP })).rows;
      assert.ok(row !== undefined && !('readBytesPerSec' in row) && !('readBytesPerSecMax' in row));
      assert.deepEqual([row.writeBytesPerSec, row.writeBytesPerSecMax, row.netInBytesPerSec], [0, 0, 4]);
    });

    it('hands over more rows than fit into one part', async () => {
      const processes = Array.from({ length: 5_001 }, (_, index) => aProcess({ pid: index + 1 }));
      await write('a', interval(0, { processes }));
      const { rows } = await opened.store.processes({ atMs: T0 });
      assert.deepEqual(
        rows.map((row) => row.pid).sort((a, b) => a - b),
        processes.map(({ pid }) => pid),
      );
    });

    it('gives the intervals of one host one by one, oldest first, where there are too many the newest', async () => {
      for (const step of [0, 1, 2, 3])
        await write('a', interval(step, { host: usage({ cpuPercent: step, unattributed: { cpuPercent: 0.5 } }) }));
      await write('b', interval(2));
      const series = async (fields: { atMs: number; windowMs?: number; limit?: number }): Promise<number[]> => {
        const points = await opened.store.series({ host: 'a', limit: 10, ...fields });
        for (const point of points) pointSchema.parse(point);
        return points.map(({ usage: { cpuPercent } }) => cpuPercent);
      };
      const last = T0 + 3 * STEP;
      assert.deepEqual(await series({ atMs: last, windowMs: 3 * STEP }), [1, 2, 3]);
      assert.deepEqual(await series({ atMs: last, windowMs: 10 * STEP, limit: 2 }), [2, 3]);
      assert.deepEqual(await series({ atMs: T0 + 1, windowMs: STEP }), [0, 1]);
      assert.deepEqual(await series({ atMs: T0 + 1 }), [1]);
      assert.deepEqual(await series({ atMs: last + 1 }), []);
      const [point] = await opened.store.series({ host: 'a', atMs: T0, limit: 1 });
      const { host, hostMax } = interval(0, { host: usage({ cpuPercent: 0, unattributed: { cpuPercent: 0.5 } }) });
      const times = { from: new Date(T0 - STEP).toISOString(), at: new Date(T0).toISOString() };
      assert.deepEqual(point, { ...times, usage: host, max: hostMax });
    });

    it('gives the figures of one process beside those of its host, where it was recorded', async () => {
      const one = aProcess({ pid: 1, cpuPercent: 7, cpuPercentMax: 8, readBytesPerSec: 0, readBytesPerSecMax: 0 });
      const reused = aProcess({ pid: 1, startedAt: '2026-06-02T00:00:00.000Z', cpuPercent: 99 });
      await write('a', interval(0, { processes: [one, reused, aProcess({ pid: 2 })] }), interval(1));
      const process = { pid: 1, startedMs: Date.parse(one.startedAt) };
      const points = await opened.store.series({ host: 'a', atMs: T0 + STEP, windowMs: 2 * STEP, process, limit: 9 });
      const { cpuPercent, cpuPercentMax, rssBytes, rssBytesMax, readBytesPerSec, readBytesPerSecMax } = one;
      assert.deepEqual(
        points.map((point) => point.process),
        [{ cpuPercent, cpuPercentMax, rssBytes, rssBytesMax, readBytesPerSec, readBytesPerSecMax }, undefined],
      );
    });

    it('knows when each maximum of a host was, of equal ones the first', async () => {
      const { hostMax } = interval(0);
      await write('a', interval(0, { hostMax: { ...hostMax, diskQueue: 9 } }));
      await write('a', interval(1, { hostMax: { ...hostMax, cpuPercent: 800 } }));
      await write('a', interval(2, { hostMax: { ...hostMax, cpuPercent: 800, netInBytesPerSec: 9e9 } }));
      await write('a', interval(3, { hostMax: { ...hostMax, cpuPercent: 900 } }));
      const peaks = await opened.store.peaks({ host: 'a', atMs: T0 + 2 * STEP, windowMs: 3 * STEP });
      assert.deepEqual(peaks, {
        ...Object.fromEntries(Object.keys(hostMax).map((name) => [name, T0])),
        cpuPercent: T0 + STEP,
        netInBytesPerSec: T0 + 2 * STEP,
      });
      assert.equal(await opened.store.peaks({ host: 'a', atMs: T0 + 9 * STEP }), undefined);
      assert.equal(await opened.store.peaks({ host: 'b', atMs: T0 }), undefined);
    });

    it('knows every host with its last interval', async () => {
      assert.deepEqual(await opened.store.knownHosts(), []);
      await write('b', interval(3), interval(1));
      await write('a', interval(2));
      assert.deepEqual(await opened.store.knownHosts(), [
        { host: 'a', lastIntervalEndMs: T0 + 2 * STEP },
        { host: 'b', lastIntervalEndMs: T0 + 3 * STEP },
      ]);
    });
  });
};
