import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { type TestContext, test } from 'node:test';
import { KernelError, openLibc } from '../../src/kernel/libc.ts';
import { ListenDump } from '../../src/kernel/listen-dump.ts';
import { KernelText } from '../../src/procfs/kernel-file.ts';
import { readListening } from '../../src/procfs/net-tcp.ts';
import { readSocketInodes } from '../../src/procfs/pid-fd.ts';
import { described, fakeKernel, result } from './inet-diag.ts';

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

async function listening(t: TestContext, host: string) {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { server, port: address.port };
}

function openDump(t: TestContext): ListenDump {
  const dump = new ListenDump(openLibc());
  t.after(() => dump.close());
  return dump;
}

for (const host of ['127.0.0.1', '0.0.0.0', '::1', '::']) {
  test(`lists a server on ${host} while it listens, by an inode that this process holds`, async (t) => {
    const dump = openDump(t);
    const { server, port } = await listening(t, host);
    const [own, ...others] = dump.read().filter((socket) => socket.port === port);
    assert.ok(own !== undefined && others.length === 0);
    assert.ok(readSocketInodes('/proc', process.pid).includes(own.inode));
    server.close();
    await once(server, 'close');
    assert.deepEqual(
      dump.read().filter((socket) => socket.port === port),
      [],
    );
  });
}

test('knows the sockets that /proc knows', async (t) => {
  const dump = openDump(t);
  const { port } = await listening(t, '127.0.0.1');
  const inProc = readListening('/proc/net', new KernelText()).filter((socket) => socket.port === port);
  assert.deepEqual(
    dump.read().filter((socket) => socket.port === port),
    inProc,
  );
  assert.equal(inProc.length, 1);
});

test('lists nothing twice when several answers come at once, and takes what is cut off for nothing', () => {
  const whole = described({ inode: 7, infoBytes: 0 });
  const { fake, sent } = fakeKernel([
    Buffer.concat([whole, described({ inode: 8 })]),
    Buffer.concat([whole.subarray(0, 40), result(NLMSG_DONE, 1)]).subarray(0, 40),
    result(NLMSG_DONE, 1),
    result(NLMSG_DONE, 2),
  ]);
  assert.deepEqual(new ListenDump(fake).read(), [
    { inode: 7, port: 3_306 },
    { inode: 8, port: 3_306 },
  ]);
  assert.deepEqual(
    sent.map((message) => [message[16], message.readUInt32LE(20)]),
    [
      [2, 1 << 10],
      [10, 1 << 10],
    ],
  );
});

test('says when the kernel refuses or is silent, and asks afresh the next time', () => {
  const { fake, opened } = fakeKernel([
    result(NLMSG_ERROR, 1, -constants.errno.EPERM),
    -constants.errno.EAGAIN,
    described({ inode: 7 }),
    result(NLMSG_DONE, 1),
    result(NLMSG_DONE, 2),
  ]);
  const dump = new ListenDump(fake);
  assert.throws(
    () => dump.read(),
    (error) => error instanceof KernelError && error.code === 'EPERM',
  );
  assert.throws(
    () => dump.read(),
    (error) => error instanceof KernelError && error.code === 'EAGAIN',
  );
  assert.deepEqual(dump.read(), [{ inode: 7, port: 3_306 }]);
  assert.equal(opened(), 3);
});
