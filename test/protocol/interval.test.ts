import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Interval, intervalSchema } from '../../src/protocol/interval.ts';
import { identitySchema, MAX_CMDLINE_LENGTH } from '../../src/protocol/row.ts';
import { aProcess, interval, usage } from '../store/sample.ts';

/** The path of the first thing that is wrong; undefined when nothing is. */
function wrong(fields: object): string | undefined {
  return intervalSchema.safeParse({ ...interval(1), ...fields }).error?.issues[0]?.path.join('.');
}

describe('interval', () => {
  it('is what an agent makes, figure for figure', () => {
    const made: Interval = interval(1);
    assert.deepEqual(intervalSchema.parse(JSON.parse(JSON.stringify(made))), made);
  });

  it('may have no processes, no disks and no unattributed figures', () => {
    assert.equal(wrong({ processes: [], disks: [], host: usage({ unattributed: {} }) }), undefined);
  });

  it('ends after its start', () => {
    assert.equal(wrong({ startMs: 0, endMs: 1 }), undefined);
    for (const [startMs, endMs] of [
      [30_000, 30_000],
      [30_001, 30_000],
      [1, 0],
    ])
      assert.notEqual(wrong({ startMs, endMs }), undefined, `${startMs} to ${endMs}`);
    assert.match(
      intervalSchema.safeParse(interval(1, { startMs: 2, endMs: 1 })).error?.message ?? '',
      /after its start/,
    );
  });

  it('is of a time that a date of four digits can name', () => {
    const endMs = Date.UTC(9999, 11, 31);
    assert.equal(wrong({ endMs }), undefined);
    assert.equal(wrong({ endMs: endMs + 1 }), 'endMs');
    assert.equal(wrong({ endMs: Number.MAX_SAFE_INTEGER }), 'endMs');
    assert.equal(wrong({ startMs: -1 }), 'startMs');
  });

  it('has whole milliseconds and at least one sample', () => {
    assert.equal(wrong({ startMs: 0.5 }), 'startMs');
    assert.equal(wrong({ endMs: 1e12 + 0.5 }), 'endMs');
    for (const samples of [0, -1, 1.5, '3']) assert.equal(wrong({ samples }), 'samples');
  });

  it('has processes that started at a time', () => {
    for (const startedAt of ['2026-06-01T00:00:00Z', '2026-06-01T00:00:00.123456Z'])
      assert.equal(wrong({ processes: [aProcess({ startedAt })] }), undefined, startedAt);
    const bad = [
      ...['', 'yesterday', '1780000000000', '2026-06-01', '2026-06-01T00:00:00', '2026-06-01T00:00:00+02:00'],
      ...['2026-13-01T00:00:00Z', '2026-02-30T00:00:00Z', '2026-06-01T25:00:00Z', "2026-06-01T00:00:00Z'; --"],
    ];
    for (const startedAt of bad)
      assert.equal(wrong({ processes: [aProcess({ startedAt })] }), 'processes.0.startedAt', startedAt);
    assert.equal(wrong({ processes: [aProcess(), { ...aProcess(), startedAt: 5 }] }), 'processes.1.startedAt');
  });

  it('has figures from 0, of hosts, disks and processes', () => {
    assert.equal(wrong({ host: usage({ cpuPercent: -1 }) }), 'host.cpuPercent');
    assert.equal(wrong({ host: usage({ unattributed: { cpuPercent: -1 } }) }), 'host.unattributed.cpuPercent');
    assert.equal(wrong({ host: usage({ load1: Number.NaN }) }), 'host.load1');
    assert.equal(wrong({ hostMax: { ...interval(1).hostMax, diskQueue: -1 } }), 'hostMax.diskQueue');
    assert.equal(wrong({ hostMax: {} }), 'hostMax.cpuPercent');
    assert.equal(wrong({ disks: [{ mount: '/', device: 'vda', totalBytes: 1, usedBytes: -1 }] }), 'disks.0.usedBytes');
    assert.equal(wrong({ processes: [aProcess({ rssBytesMax: -1 })] }), 'processes.0.rssBytesMax');
    assert.equal(wrong({ processes: [aProcess({ cpuPercent: Infinity })] }), 'processes.0.cpuPercent');
  });

  it('is bounded: so many processes, disks, and so long a text', () => {
    const disk = { mount: '/', device: 'vda', totalBytes: 1, usedBytes: 1 };
    assert.equal(wrong({ disks: Array(1_000).fill(disk) }), undefined);
    assert.equal(wrong({ disks: Array(1_001).fill(disk) }), 'disks');
    assert.equal(wrong({ processes: Array(10_001).fill(aProcess()) }), 'processes');
    assert.equal(wrong({ disks: [{ ...disk, mount: '/'.repeat(1_025) }] }), 'disks.0.mount');
    assert.equal(wrong({ processes: [aProcess({ instance: 'i'.repeat(256) })] }), 'processes.0.instance');
  });
});

describe('identity', () => {
  it('takes what the kernel and an agent can say of a process', () => {
    const kthread = aProcess({ cmdline: '', comm: 'kworker/0:1', instance: 'kworker/0:1', ports: [], state: 'I' });
    for (const process of [kthread, aProcess({ comm: 'a) b\n', user: '' }), aProcess({ ports: [0, 65_535] })])
      assert.equal(identitySchema.safeParse(process).success, true);
  });

  it('refuses what cannot be', () => {
    const impossible: [string, Partial<ReturnType<typeof aProcess>>][] = [
      ['pid', { pid: 0 }],
      ['pid', { pid: 1.5 }],
      ['threads', { threads: -1 }],
      ['ports.1', { ports: [1, 65_536] }],
      ['ports', { ports: Array(65).fill(1) }],
      ['cmdline', { cmdline: 'c'.repeat(MAX_CMDLINE_LENGTH + 1) }],
      ['state', { state: 'SSS' }],
      ['container', { container: 'c'.repeat(256) }],
    ];
    for (const [path, fields] of impossible)
      assert.equal(identitySchema.safeParse(aProcess(fields)).error?.issues[0]?.path.join('.'), path);
  });
});
