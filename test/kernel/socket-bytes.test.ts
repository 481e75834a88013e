import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { openLibc } from '../../src/kernel/libc.ts';
import { SocketBytes } from '../../src/kernel/socket-bytes.ts';
import { drained } from './counted.ts';

const OPTIONS = { pidNamespace: undefined, ephemeralPorts: [32_768, 60_999] as const };
let counted: SocketBytes;

before(() => {
  counted = new SocketBytes(openLibc(), process.pid, OPTIONS);
});
after(() => counted.close());

/** Runs a program in Node.js, and gives what was counted of it: bytes by scope and direction, and its endpoints. */
async function traffic(program: string, by = counted) {
  drained(by);
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  return drained(by)(child.pid);
}

const tcp = (address: string): string => `
  import { createServer, connect } from 'node:net';
  const server = createServer((socket) => {
    let got = 0;
    socket.on('data', (chunk) => { got += chunk.length; if (got === 300_000) socket.end('thanks'); });
  }).listen(0, '${address}', () => {
    const client = connect(server.address().port, '${address}', () => client.end(Buffer.alloc(300_000)));
    client.resume().on('close', () => server.close());
  });`;

for (const address of ['127.0.0.1', '127.9.8.7', '::1']) {
  test(`counts TCP over ${address} both ways, as loopback`, async () => {
    const { bytes, endpoints } = await traffic(tcp(address));
    assert.deepEqual([bytes('loopback', 'out'), bytes('loopback', 'in')], [300_006, 300_006]);
    assert.deepEqual([bytes('network', 'out'), bytes('network', 'in'), endpoints], [0, 0, []]);
  });
}

test('counts an IPv4 connection of an IPv6 socket as loopback', async () => {
  const program = tcp('127.0.0.1').replace("listen(0, '127.0.0.1'", "listen(0, '::'");
  const { bytes } = await traffic(program);
  assert.deepEqual([bytes('loopback', 'out'), bytes('loopback', 'in')], [300_006, 300_006]);
});

const udp = (type: 'udp4' | 'udp6', bound: string, to: string, connected: boolean): string => `
  import { createSocket } from 'node:dgram';
  const server = createSocket('${type}').bind(0, '${bound}', () => {
    const client = createSocket('${type}');
    let got = 0;
    server.on('message', () => { got += 1; if (got === 9) { client.close(); server.close(); } });
    const { port } = server.address();
    if (${connected}) client.connect(port, '${to}', () => { for (let i = 0; i < 9; i += 1) client.send(Buffer.alloc(100)); });
    else for (let i = 0; i < 9; i += 1) client.send(Buffer.alloc(100), port, '${to}');
  });`;

test('counts UDP of a connected socket as loopback, and of one bound to a loopback address', async () => {
  const { bytes } = await traffic(udp('udp4', '127.0.0.1', '127.0.0.1', true));
  assert.deepEqual([bytes('loopback', 'out'), bytes('loopback', 'in')], [900, 900]);
});

for (const [type, any, to] of [
  ['udp4', '0.0.0.0', '127.0.0.1'],
  ['udp6', '::', '::1'],
] as const) {
  test(`counts ${type} of sockets without a fixed peer apart, by the port they are bound to`, async () => {
    const { bytes, endpoints } = await traffic(udp(type, any, to, false).replace('bind(0', 'bind(20_514'));
    assert.deepEqual([bytes('unconnected', 'out'), bytes('unconnected', 'in')], [900, 900]);
    const peer = type === 'udp4' ? '0.0.0.0' : '::';
    assert.deepEqual(
      endpoints.toSorted((a, b) => a.localPort - b.localPort),
      [
        { localPort: 0, remotePort: 0, remoteAddress: peer, outBytes: 900, inBytes: 0 },
        { localPort: 20_514, remotePort: 0, remoteAddress: peer, outBytes: 0, inBytes: 900 },
      ],
    );
  });
}

test('does not count bytes that are only looked at', () => {
  drained(counted);
  const perl = `use Socket;
    socketpair(my $u, my $v, AF_UNIX, SOCK_STREAM, 0); syswrite $u, "y" x 50; sysread $v, my $z, 50;
    socket(my $s, AF_INET, SOCK_DGRAM, 0); bind $s, sockaddr_in(0, INADDR_LOOPBACK); connect $s, getsockname $s;
    send $s, "x" x 70, 0; recv $s, my $b, 100, MSG_PEEK for 1 .. 5; recv $s, $b, 100, 0;`;
  const child = spawnSync('perl', ['-e', perl], { timeout: 10_000 });
  assert.equal(child.status, 0, child.stderr.toString());
  const { bytes } = drained(counted)(child.pid);
  assert.deepEqual(
    [bytes('loopback', 'out'), bytes('loopback', 'in')],
    [70, 70],
    'and local sockets are no network at all',
  );
});

test('a second counter counts for itself, and the first goes on when it ends', async () => {
  const second = new SocketBytes(openLibc(), process.pid, OPTIONS);
  second.close();
  const { bytes } = await traffic(tcp('127.0.0.1'));
  assert.equal(bytes('loopback', 'out'), 300_006);
});

test('counts by process where there is no room for endpoints', async (t) => {
  const small = new SocketBytes(openLibc(), process.pid, OPTIONS, 1);
  t.after(() => small.close());
  const connected = udp('udp4', '127.0.0.1', '127.0.0.1', true);
  const loose = udp('udp4', '0.0.0.0', '127.0.0.1', false).replace('bind(0', 'bind(20_515');
  const renamed = loose
    .replaceAll('createSocket', 'open')
    .replaceAll('server', 'other')
    .replace('open }', 'createSocket as open }');
  const { bytes, endpoints } = await traffic(`${connected}\n${renamed}`, small);
  assert.deepEqual(
    (['loopback', 'unconnected', 'network'] as const).map((scope) => [bytes(scope, 'out'), bytes(scope, 'in')]),
    [
      [900, 900],
      [900, 900],
      [0, 0],
    ],
  );
  assert.ok(endpoints.length < 2);
  assert.equal(small.isFull, false);
});

test('refuses to count where the programs see something else than they should', () => {
  const otherPid = process.pid === 1 ? 2 : 1;
  assert.throws(() => new SocketBytes(openLibc(), otherPid, OPTIONS), {
    code: 'EPROTO',
    message: /^counting the bytes of sockets: EPROTO: 0 of 7 of family 2$/,
  });
});
