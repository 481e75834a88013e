import assert from 'node:assert/strict';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { type TestContext, test } from 'node:test';
import { Disks } from '../../../src/agent/history/disks.ts';
import type { DiskCounters } from '../../../src/procfs/diskstats.ts';
import { diskSchema } from '../../../src/protocol/interval.ts';
import { FakeProc } from '../../support/fake-proc.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { snapshot } from '../snapshots.ts';

const VDA: DiskCounters = { device: '254:0', name: 'vda', readBytes: 0, writeBytes: 0, busyMs: 0, queueMs: 0 };

/** Two folders mounted from a disk, one from a network; every file system has 1000 blocks of 4 KiB, 250 of them free. */
function setUp(t: TestContext) {
  const proc = new FakeProc(scratchFolder(t));
  proc.write(
    'self/mountinfo',
    '1 0 254:0 / / rw - ext4 /dev/vda rw\n' +
      '2 1 0:44 / /data rw - btrfs /dev/vda rw\n' +
      '3 1 0:45 / /nfs rw - nfs4 server:/export rw\n' +
      '4 1 0:46 / /tmp rw - tmpfs tmpfs rw\n',
  );
  const asked: string[] = [];
  const unanswered = new Map<string, () => void>();
  const sizes = { type: 0, bsize: 4_096, frsize: 4_096, blocks: 1_000, bfree: 250, bavail: 200, files: 0, ffree: 0 };
  const statfs = async (path: string): Promise<typeof sizes> => {
    asked.push(path);
    if (path === '/missing') throw Object.assign(new Error(), { code: 'ENOENT' });
    if (path === '/nfs') await new Promise<void>((resolve) => unanswered.set(path, resolve));
    return sizes;
  };
  const mocked = t.mock.method(fsPromises, 'statfs', statfs as typeof fsPromises.statfs);
  syncBuiltinESMExports();
  t.after(() => {
    mocked.mock.restore();
    syncBuiltinESMExports();
  });
  return { proc, disks: new Disks(proc.procRoot), asked, unanswered };
}

const SPACE = { totalBytes: 4_096_000, usedBytes: 3_072_000 };

test('tells space and load of every real file system, averaged by time', async (t) => {
  const { disks } = setUp(t);
  disks.add(snapshot(0, {}, { disks: [VDA] }));
  disks.add(snapshot(1, {}, { disks: [{ ...VDA, readBytes: 4_000, writeBytes: 100, busyMs: 900, queueMs: 2_000 }] }));
  disks.add(snapshot(4, {}, { disks: [{ ...VDA, readBytes: 4_000, writeBytes: 400, busyMs: 1_800, queueMs: 2_300 }] }));
  const load = {
    readBytesPerSec: 1_000,
    writeBytesPerSec: 100,
    utilPercent: 45,
    utilPercentMax: 90,
    queue: 0.575,
    queueMax: 2,
  };
  const found = await disks.close([]);
  assert.deepEqual(found, [
    { mount: '/', device: '/dev/vda', ...SPACE, ...load },
    // btrfs has a device number of its own making.
    { mount: '/data', device: '/dev/vda', ...SPACE, ...load },
  ]);
  for (const disk of found) assert.deepEqual(diskSchema.parse(disk), disk);
});

test('begins the load anew with each interval, but not the counters', async (t) => {
  const { disks } = setUp(t);
  disks.add(snapshot(0, {}, { disks: [VDA] }));
  disks.add(snapshot(1, {}, { disks: [{ ...VDA, writeBytes: 500 }] }));
  await disks.close([]);
  disks.add(snapshot(2, {}, { disks: [{ ...VDA, writeBytes: 700 }] }));
  assert.deepEqual(
    (await disks.close(['/'])).map(({ writeBytesPerSec }) => writeBytesPerSec),
    [200],
  );
});

test('tells no load of a device without counters, nor a negative one', async (t) => {
  const { disks } = setUp(t);
  disks.add(snapshot(0, {}, { disks: [{ ...VDA, readBytes: 900, writeBytes: 900 }] }));
  disks.add(snapshot(1, {}, { disks: [VDA, { ...VDA, device: '254:16', name: 'vdb', readBytes: 1e9 }] }));
  const [root, tmp] = await disks.close(['/', '/tmp']);
  assert.deepEqual([root?.readBytesPerSec, root?.writeBytesPerSec], [0, 0]);
  assert.deepEqual(tmp, { mount: '/tmp', device: 'tmpfs', ...SPACE });
});

test('reports the mount points that were asked for, of whatever kind, and passes over those that are not there', async (t) => {
  const { proc, disks } = setUp(t);
  proc.write('self/mountinfo', '4 1 0:46 / /tmp rw - tmpfs tmpfs rw\n5 1 0:47 / /missing rw - ext4 /dev/vdc rw\n');
  assert.deepEqual(
    (await disks.close(['/tmp', '/missing', '/nowhere'])).map(({ mount }) => mount),
    ['/tmp'],
  );
  proc.remove('self');
  assert.deepEqual(await disks.close([]), []);
});

test('leaves out a file system that does not answer within a second, and asks it no more until it has', async (t) => {
  const { disks, asked, unanswered } = setUp(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const late = disks.close(['/nfs', '/tmp']);
  await settled();
  t.mock.timers.tick(1_000);
  assert.deepEqual(
    (await late).map(({ mount }) => mount),
    ['/tmp'],
  );
  assert.deepEqual(await disks.close(['/nfs']), []);
  assert.deepEqual(asked.filter((path) => path === '/nfs').length, 1);
  unanswered.get('/nfs')?.();
  await settled();
  const again = disks.close(['/nfs']);
  unanswered.get('/nfs')?.();
  assert.deepEqual(
    (await again).map(({ mount }) => mount),
    ['/nfs'],
  );
});
