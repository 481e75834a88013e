import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { storeContract } from './contract.ts';
import { interval } from './sample.ts';

function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'procmesh-store-'));
}

storeContract('sqlite', async () => {
  const folder = makeFolder();
  const store = await openSqliteStore(join(folder, 'store.db'));
  return { store, remove: () => rmSync(folder, { recursive: true }) };
});

/** Runs crash-writer.ts, kills it outright after `acks` acknowledged steps, and returns the last one it told of. */
async function writeAndKill(file: string, from: number, acks: number): Promise<number> {
  const program = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));
  const child = spawn(process.execPath, [program, file, String(from)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const died = new Promise<NodeJS.Signals | null>((resolve) => child.on('exit', (_, signal) => resolve(signal)));
  let last = -1;
  for await (const line of createInterface(child.stdout)) {
    last = Number(line);
    if (last === from + acks) child.kill('SIGKILL');
  }
  assert.equal(await died, 'SIGKILL');
  return last;
}

describe('sqlite store', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = makeFolder();
    file = join(folder, 'data', 'store.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('commits in another thread, while this one does not let its event loop turn', async () => {
    const store = await openSqliteStore(file);
    const witness = new DatabaseSync(file, { readOnly: true });
    const count = witness.prepare('SELECT count(*) AS n FROM tb_monitor_host_info');

    let told = false;
    const written = store.write([{ host: 'a', interval: interval(0) }]).then(() => {
      told = true;
    });
    const giveUpAt = performance.now() + 20_000;
    while (count.get()?.n === 0) assert.ok(performance.now() < giveUpAt, 'nothing was committed');

    assert.equal(told, false);
    await written;
    witness.close();
    await store.close();
  });

  it('keeps every acknowledged interval, each once and whole, when its process is killed again and again', async () => {
    let next = 0;
    for (const acks of [7, 23, 40]) next = (await writeAndKill(file, next, acks)) + 1;

    const store = await openSqliteStore(file);
    const known = await store.knownHosts();
    assert.deepEqual(
      known.map(({ host }) => host),
      ['a', 'b', 'c'],
    );
    await store.close();
    const db = new DatabaseSync(file);
    const intervals = db
      .prepare(
        `SELECT rshost, a_time, recorded,
          (SELECT count(*) FROM tb_monitor_process_io_info p WHERE p.rshost = h.rshost AND p.a_time = h.a_time) AS found,
          (SELECT count(*) FROM tb_monitor_disk_info d WHERE d.rshost = h.rshost AND d.a_time = h.a_time) AS mounts
        FROM tb_monitor_host_info h`,
      )
      .all();
    assert.deepEqual(db.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
    db.close();
    for (const row of intervals) assert.deepEqual([row.recorded, row.found, row.mounts], [40, 40, 3]);
    const keys = new Set(intervals.map(({ rshost, a_time }) => `${rshost} ${a_time}`));
    assert.equal(keys.size, intervals.length);
    for (let step = 0; step < next; step += 1)
      for (const host of ['a', 'b', 'c']) assert.ok(keys.has(`${host} ${interval(step).endMs}`), `${host} ${step}`);
  });

  it('is shared with a second process that writes to it', async () => {
    const store = await openSqliteStore(file);
    const other = writeAndKill(file, 0, 20);
    for (let step = 0; step < 50; step += 1) await store.write([{ host: 'here', interval: interval(step) }]);
    const acknowledged = (await other) + 1;
    const window = { atMs: interval(1_000_000).endMs, windowMs: 1e12 };
    const counts = (await store.hosts(window)).hosts.map(({ total, intervals }) => ({ host: total.host, intervals }));
    assert.deepEqual(counts.at(-1), { host: 'here', intervals: 50 });
    assert.ok((counts[0]?.intervals ?? 0) >= acknowledged);
    await store.close();
  });
});
