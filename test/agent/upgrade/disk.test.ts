import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Host, isWhole, script, seen, upgradeTo } from './host.ts';

const GUARD = { timeout: 20_000 };
const MB = 1 << 20;

function mount(...args: string[]): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', ...args], { stdio: 'ignore' }).status === 0;
}

test('a full disk stops an upgrade with its reason, before it begins and in the middle of it', GUARD, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'procmesh-full-'));
  t.after(() => {
    spawnSync('umount', [folder]);
    rmdirSync(folder);
  });
  if (!mount('-o', 'size=48m', 'tmpfs', folder)) return t.skip('may not mount a small file system');
  const host = new Host(t, folder);
  const { hash } = host.first.manifest;
  const assertUntouched = (): void => {
    const { current, trial } = seen(host.installation);
    assert.deepEqual([current, trial, host.done], [hash, undefined, []]);
    assert.ok(isWhole(host.installation, hash));
  };

  const large = host.next('2.0', 6, `${script('exit 0')}#${'x'.repeat(20 * MB)}`);
  const noRoom = await host.push(upgradeTo(large));
  assert.match(noRoom ?? '', /^failed: the disk of this host has (49|50|51) MB left, and it takes 55$/);
  assert.deepEqual(host.source.asked, []);
  assertUntouched();

  // Somebody else fills it up meanwhile.
  const smaller = host.next('2.1', 7, `${script('exit 0')}#${'x'.repeat(10 * MB)}`);
  host.upgrader.on('send', (message) => {
    if (message.type === 'want' && message.offset === 5 * MB) fill(join(folder, 'else'));
  });
  assert.equal(await host.push(upgradeTo(smaller)), 'failed: the disk of this host is full');
  assertUntouched();

  // Not even the few bytes that a trial takes.
  for (const path of [join(folder, 'else'), host.installation.incoming]) rmSync(path, { recursive: true });
  const tiny = host.next('2.2', 8, script(`cat /dev/zero >${folder}/else 2>/dev/null; exit 0`));
  assert.equal(await host.push(upgradeTo(tiny)), 'failed: the disk of this host is full');
  assertUntouched();

  // It takes the next one once there is room again.
  rmSync(join(folder, 'else'));
  await host.push(upgradeTo(host.next('2.3', 9)));
  assert.equal(host.told.at(-1), 'starting');
});

function fill(file: string): void {
  assert.throws(() => {
    for (let bytes = 4 * MB; ; ) writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' });
  }, /ENOSPC/);
}
