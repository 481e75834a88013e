import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Interval } from '../../src/protocol/interval.ts';
import type { ContractPart } from './contract.ts';
import { aProcess, interval, STEP, T0, usage } from './sample.ts';

/** What `write`, `prune` and `close` do. */
export const keepingContract: ContractPart = (opened) => {
  describe('keeping', () => {
    const write = (host: string, ...intervals: Interval[]): Promise<void> =>
      opened.store.write(intervals.map((one) => ({ host, interval: one })));

    it('keeps names with quotes, newlines, NUL and other scripts', async () => {
      const cmdline = `sh -c 'echo "…"; drop\n\0table' 企业微信 🐬 ${'x'.repeat(2000)}`;
      await write('a', interval(0, { processes: [aProcess({ cmdline, user: "o'brien" })] }));
      const [row] = (await opened.store.processes({ atMs: T0 })).rows;
      assert.equal(row?.cmdline, cmdline);
      assert.equal(row?.user, "o'brien");
    });

    it('leaves an interval that is there already as it is', async () => {
      await write('a', interval(0));
      const changed = interval(0, { host: usage({ load1: 99 }), processes: [aProcess({ pid: 5 })] });
      await write('a', changed, changed, interval(1));

      const answer = await opened.store.processes({ atMs: T0, windowMs: STEP });
      assert.deepEqual(
        answer.rows.map((row) => row.pid),
        [4711],
      );
      assert.equal(answer.hosts[0]?.total.load1, 3.3);
      assert.equal((await opened.store.hosts({ atMs: T0 + STEP })).hosts.length, 1);
    });

    it('takes the first of two entries for one process or mount', async () => {
      const twice = interval(0, { processes: [aProcess({ threads: 1 }), aProcess({ threads: 2 })] });
      await write('a', { ...twice, disks: [...twice.disks, ...twice.disks] });
      const { rows } = await opened.store.processes({ atMs: T0 });
      assert.deepEqual(
        rows.map((row) => row.threads),
        [1],
      );
    });

    it('keeps apart processes that share a pid but not their start', async () => {
      const processes = [aProcess(), aProcess({ startedAt: '2026-07-01T03:11:50.000Z', comm: 'reused' })];
      await write('a', interval(0, { processes }));
      const { rows } = await opened.store.processes({ atMs: T0 });
      assert.deepEqual(rows.map((row) => row.comm).sort(), ['mysqld', 'reused']);
    });

    it('keeps a process whose start is no date and an interval without length', async () => {
      await write('a', interval(0, { startMs: T0, processes: [aProcess({ startedAt: 'long ago' })] }));
      const { rows } = await opened.store.processes({ atMs: T0 });
      assert.equal(rows[0]?.startedAt, '1970-01-01T00:00:00.000Z');
      assert.equal(rows[0]?.cpuPercent, 120.1);
    });

    it('writes a batch of many hosts and answers for all of them or one', async () => {
      const names = Array.from({ length: 300 }, (_, index) => `host-${String(index).padStart(3, '0')}`);
      await opened.store.write(names.map((host) => ({ host, interval: interval(0) })));
      const all = await opened.store.processes({ atMs: T0 });
      assert.deepEqual(
        all.hosts.map(({ total }) => total.host),
        names,
      );
      assert.deepEqual(all.rows.map((row) => row.host).sort(), names);
      const one = await opened.store.processes({ host: 'host-017', atMs: T0 });
      assert.deepEqual(
        one.rows.map((row) => row.host),
        ['host-017'],
      );
      assert.equal(one.hosts.length, 1);
    });

    it('deletes old intervals in steps, whole ones, and keeps the rest', async () => {
      const processes = Array.from({ length: 10 }, (_, index) => aProcess({ pid: index + 1 }));
      for (const host of ['a', 'b'])
        await write(host, ...[0, 1, 2, 3].map((step) => interval(step, { processes, disks: [] })));

      const steps: number[] = [];
      for (let deleted = -1; deleted !== 0; steps.push(deleted)) deleted = await opened.store.prune(T0 + 3 * STEP, 20);

      // An interval is eleven rows, six intervals are old, and a step ends with the interval that fills it.
      assert.deepEqual(steps, [22, 22, 22, 0]);
      assert.equal((await opened.store.hosts({ atMs: T0 + 2 * STEP, windowMs: 1e9 })).hosts.length, 0);
      const { hosts, rows } = await opened.store.processes({ atMs: T0 + 3 * STEP, windowMs: 1e9 });
      assert.deepEqual(
        hosts.map(({ total, intervals }) => [total.host, intervals]),
        [
          ['a', 1],
          ['b', 1],
        ],
      );
      assert.equal(rows.length, 20);
    });

    it('forgets a host with its last interval', async () => {
      await write('a', interval(0));
      await opened.store.prune(T0 + 1, 1_000);
      assert.deepEqual(await opened.store.knownHosts(), []);
    });

    it('forgets a command line only when no interval refers to it', async () => {
      const day = 86_400_000 / STEP;
      const still = aProcess({ pid: 1, cmdline: 'still used' });
      const gone = aProcess({ pid: 2, cmdline: 'long gone' });
      await write('a', interval(0, { processes: [gone, still] }));
      await write('a', interval(day / 2, { processes: [still], disks: [] }));

      assert.ok((await opened.store.prune(T0 + STEP, 1_000)) > 0);
      assert.equal(await opened.store.prune(T0 + STEP, 1_000), 0);
      const [row] = (await opened.store.processes({ atMs: T0 + (day / 2) * STEP })).rows;
      assert.equal(row?.cmdline, 'still used');

      await write('a', interval(2 * day, { processes: [still], disks: [] }));
      // The old interval with its process, and the one command line that nothing needs.
      assert.equal(await opened.store.prune(T0 + 2 * day * STEP, 1_000), 3);
      const [kept] = (await opened.store.processes({ atMs: T0 + 2 * day * STEP })).rows;
      assert.equal(kept?.cmdline, 'still used');
    });

    it('rejects what is asked after it was closed', async () => {
      await write('a', interval(0));
      await opened.store.close();
      await opened.store.close();
      await assert.rejects(write('a', interval(1)), { name: 'Problem', code: 'ERR_STORE_CLOSED' });
      await assert.rejects(opened.store.processes({ atMs: T0 }), { code: 'ERR_STORE_CLOSED' });
    });

    it('finishes before it closes what was asked before', async () => {
      const asked = [write('a', interval(0)), opened.store.prune(0, 10), opened.store.knownHosts()];
      await opened.store.close();
      const settled = await Promise.allSettled(asked);
      assert.deepEqual(
        settled.map(({ status }) => status),
        ['fulfilled', 'fulfilled', 'fulfilled'],
      );
    });
  });
};
