import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openWriter } from '../../src/store/sqlite-file.ts';
import { SqliteReader } from '../../src/store/sqlite-read.ts';
import { SqliteWriter } from '../../src/store/sqlite-write.ts';
import { aProcess, interval, STEP, T0 } from './sample.ts';

const TOO_MUCH = 'too much history for one answer: ask for one host or a shorter window';
const ONLY_LARGEST = 'only its largest processes: ask for one host or a shorter window';

describe('sqlite reader at its limits', () => {
  let folder: string;
  let db: DatabaseSync;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'procmesh-read-'));
    db = openWriter(join(folder, 'store.db'));
    const sizes = { big: 30, small: 3, tiny: 1 };
    const writer = new SqliteWriter(db);
    for (const [host, size] of Object.entries(sizes)) {
      const processes = Array.from({ length: size }, (_, index) =>
        aProcess({ pid: index + 1, cpuPercent: index, rssBytes: 100 - index }),
      );
      for (const step of [0, 1]) writer.write([{ host, interval: interval(step, { processes }) }]);
    }
  });
  afterEach(() => {
    db.close();
    rmSync(folder, { recursive: true });
  });

  const both = { atMs: T0 + STEP, windowMs: 2 * STEP };

  it('leaves out the processes of a host that would be too many records, and reads smaller hosts', () => {
    // Two intervals of each host, six records of small, two of tiny: 14, and none left for the sixty of big.
    const reader = new SqliteReader(db, { records: 14, rows: 1_000 });
    const { rows, hosts, incomplete } = reader.processes(both);
    assert.deepEqual(
      rows.map((row) => row.host),
      ['small', 'small', 'small', 'tiny'],
    );
    assert.equal(hosts.length, 3);
    assert.deepEqual(incomplete, [{ host: 'big', reason: TOO_MUCH }]);
    assert.deepEqual(reader.hosts(both).incomplete, []);
  });

  it('counts what it has read of one host before it reads the next', () => {
    // Two intervals and sixty records of big, two of small, and one less than its six records.
    const { rows, incomplete } = new SqliteReader(db, { records: 69, rows: 1_000 }).processes(both);
    assert.deepEqual([...new Set(rows.map((row) => row.host))], ['big', 'tiny']);
    assert.deepEqual(incomplete, [{ host: 'small', reason: TOO_MUCH }]);
  });

  it('does not look at a host when nothing is left to spend', () => {
    const reader = new SqliteReader(db, { records: 2, rows: 1_000 });
    const { hosts, incomplete } = reader.hosts(both);
    assert.deepEqual(
      hosts.map(({ total }) => total.host),
      ['big'],
    );
    assert.deepEqual(
      incomplete,
      ['small', 'tiny'].map((host) => ({ host, reason: TOO_MUCH })),
    );
  });

  it('hands over the largest processes of a host that has too many, and says so', () => {
    const reader = new SqliteReader(db, { records: 1_000, rows: 12 });
    const { rows, incomplete } = reader.processes(both);
    // Two of each metric: the most CPU and the most memory.
    assert.deepEqual(
      rows.filter((row) => row.host === 'big').map((row) => row.pid),
      [30, 29, 1, 2],
    );
    assert.equal(rows.length, 8);
    assert.deepEqual(incomplete, [{ host: 'big', reason: ONLY_LARGEST }]);
  });
});
