import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { openLibc } from '../../src/kernel/libc.ts';
import { TcpDestroyed, TcpDump, type TcpSocket } from '../../src/kernel/sock-diag.ts';
import { readSocketInodes } from '../../src/procfs/pid-fd.ts';
import { all, copy } from './inet-diag.ts';

const libc = openLibc();
const DEADLINE_MS = 20_000;

/** A server that says back what it hears, and a client that has just heard all of what it said. */
async function conversation(t: TestContext, host: string, listenOn: string, text: string) {
  const server = createServer({ allowHalfOpen: false }, (socket) => socket.pipe(socket)).listen(0, listenOn);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const client = connect(port, host);
  t.after(() => {
    client.destroy();
    server.close();
  });
  client.write(text);
  for (let heard = 0; heard < text.length; ) {
    const [chunk] = (await once(client, 'data')) as [Buffer];
    heard += chunk.length;
  }
  return { server, client, port };
}

/** Waits for the destruction of these sockets to be heard of. */
async function endOf(events: TcpDestroyed, cookies: readonly number[]): Promise<TcpSocket[]> {
  const found = new Map<number, TcpSocket>();
  for (const until = Date.now() + DEADLINE_MS; found.size < cookies.length; await turn()) {
    assert.ok(Date.now() < until, 'the kernel does not tell of the end');
    events.drain((socket) => {
      if (cookies.includes(socket.cookie)) found.set(socket.cookie, copy(socket));
    });
  }
  return cookies.map((cookie) => found.get(cookie) as TcpSocket);
}

async function hangUp(client: Socket): Promise<void> {
  client.end();
  client.resume();
  await once(client, 'close');
}

for (const [host, listenOn, shown] of [
  ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
  ['::1', '::1', '::1'],
  ['127.0.0.1', '::', '127.0.0.1'],
] as const) {
  test(`lists both ends of a connection to ${host} of a server on ${listenOn}, and tells of their end`, async (t) => {
    const dump = new TcpDump(libc);
    const events = new TcpDestroyed(libc);
    t.after(() => {
      dump.close();
      events.close();
    });
    const text = 'x'.repeat(100_000);
    const { client, port } = await conversation(t, host, listenOn, text);
    const sockets = all(dump);
    const near = sockets.find(({ remotePort }) => remotePort === port);
    const far = sockets.find(({ localPort }) => localPort === port);
    assert.ok(near !== undefined && far !== undefined);
    for (const { remoteAddress, isLoopback, outBytes, inBytes } of [near, far]) {
      assert.deepEqual(
        { remoteAddress, isLoopback, outBytes, inBytes },
        { remoteAddress: shown, isLoopback: true, outBytes: text.length, inBytes: text.length },
      );
    }
    assert.equal(near.localPort, client.localPort);
    assert.equal(far.remotePort, client.localPort);
    const { localPort: clientPort } = client;
    const inodes = readSocketInodes('/proc', process.pid);
    assert.ok(inodes.includes(near.inode) && inodes.includes(far.inode));

    await hangUp(client);
    const ends = await endOf(events, [near.cookie, far.cookie]);
    for (const { inode, outBytes, inBytes } of ends) {
      // The other side's closing counts as a byte.
      assert.deepEqual({ inode, outBytes, inBytes }, { inode: 0, outBytes: text.length, inBytes: text.length + 1 });
    }
    assert.deepEqual(
      ends.map(({ localPort }) => localPort),
      [clientPort, port],
    );
  });
}

test('leaves out what listens and what waits in time-wait', async (t) => {
  const dump = new TcpDump(libc);
  const events = new TcpDestroyed(libc);
  t.after(() => {
    dump.close();
    events.close();
  });
  const { client, port } = await conversation(t, '127.0.0.1', '127.0.0.1', 'hello');
  const ours = (): TcpSocket[] => all(dump).filter((s) => s.localPort === port || s.remotePort === port);
  const cookies = ours().map(({ cookie }) => cookie);
  assert.equal(cookies.length, 2);
  await hangUp(client);
  await endOf(events, cookies);
  assert.deepEqual(ours(), []);
});

test('survives that its queue overruns, and counts it', async (t) => {
  const events = new TcpDestroyed(libc, 16_384);
  t.after(() => events.close());
  let seen = 0;
  const count = (): number =>
    events.drain(() => {
      seen += 1;
    });
  // The kernel tells of the end some time after it, so how many it takes to overrun is not known beforehand.
  const until = Date.now() + DEADLINE_MS;
  const end = async (): Promise<void> => {
    assert.ok(Date.now() < until, 'the kernel does not tell of the end');
    const { client } = await conversation(t, '127.0.0.1', '127.0.0.1', 'hello');
    await hangUp(client);
  };
  let overruns = 0;
  while (overruns === 0) {
    for (let ends = 0; ends < 50; ends += 1) await end();
    overruns = count();
  }
  const seenBefore = seen;
  while (seen === seenBefore) {
    await end();
    count();
  }
});
