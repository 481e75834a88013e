import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountinfo, realMounts } from '../../src/procfs/mountinfo.ts';

const TEXT =
  '22 27 0:21 / /proc rw,relatime - proc proc rw\n' +
  '27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n' +
  '40 27 8:17 / /var/lib/my\\040sql\\0113306 rw - xfs /dev/mapper/vg-my\\134x rw\n' +
  '41 27 254:0 /srv /mnt/bound rw shared:1 - ext4 /dev/vda rw\n' +
  '42 27 0:44 / /tank rw - zfs tank/data rw,xattr\n' +
  '43 27 0:45 / /nfs rw - nfs4 server:/export rw,hard\n' +
  '44 27 7:3 / /snap/core/1 ro - squashfs /dev/loop3 ro\n' +
  '45 27 0:46 / /merged rw - overlay overlay rw,lowerdir=/a - b\n' +
  '46 27 0:47 / /data rw - btrfs /dev/sdb1 rw,subvolid=5\n';

test('parses device, mount point, type and source whatever number of optional fields', () => {
  assert.deepEqual(parseMountinfo(TEXT)[1], { device: '254:0', mountPoint: '/', fsType: 'ext4', source: '/dev/vda' });
  assert.equal(parseMountinfo(TEXT).length, 9);
});

test('undoes octal escapes', () => {
  const mount = parseMountinfo(TEXT)[2];
  assert.equal(mount?.mountPoint, '/var/lib/my sql\t3306');
  assert.equal(mount?.source, '/dev/mapper/vg-my\\x');
});

test('passes over a line cut short', () => {
  assert.deepEqual(parseMountinfo('27 1 254:0 / /\n27 1 254:0 / / rw - ext4\n\n'), []);
});

test('takes storage for real, once per device by its shortest mount point', () => {
  assert.deepEqual(
    realMounts(parseMountinfo(TEXT)).map(({ mountPoint }) => mountPoint),
    ['/', '/var/lib/my sql\t3306', '/tank', '/data'],
  );
});

test('takes the shortest mount point wherever it stands', () => {
  const lines = TEXT.split('\n').reverse().join('\n');
  assert.ok(realMounts(parseMountinfo(lines)).some(({ mountPoint }) => mountPoint === '/'));
});
