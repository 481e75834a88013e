import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, type TestContext, test } from 'node:test';
import { openLibc } from '../../src/kernel/libc.ts';
import { SocketBytes } from '../../src/kernel/socket-bytes.ts';
import { joinedNamespaces, type NetNamespace } from '../support/net-namespaces.ts';
import { drained } from './counted.ts';

const SENT = 3_000_001;
const ANSWERED = 1_234;
let counted: SocketBytes;

before(() => {
  counted = new SocketBytes(openLibc(), process.pid, { pidNamespace: undefined, ephemeralPorts: [32_768, 60_999] });
});
after(() => counted.close());

/** A program in a namespace that says its port, or anything, in its first line. */
async function inside(
  t: TestContext,
  namespace: NetNamespace,
  program: string,
): Promise<{ child: ChildProcess; line: string }> {
  const [file, args] = namespace.inside(process.execPath, '--input-type=module', '--eval', program);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  assert.ok(child.stdout !== null);
  const [line] = await once(createInterface(child.stdout), 'line', { signal: AbortSignal.timeout(10_000) });
  return { child, line };
}

/** Answers when it has got everything; the other end hangs up. */
const tcpServer = (address: string, port: number): string => `
  import { createServer } from 'node:net';
  const server = createServer((socket) => {
    let got = 0;
    socket.on('data', (chunk) => { got += chunk.length; if (got === ${SENT}) socket.write(Buffer.alloc(${ANSWERED})); });
    socket.on('close', () => server.close());
  }).listen(${port}, '${address}', () => console.log('ready'));`;

/** Reads the answer after so long; hangs up when it has all of it. */
const tcpClient = (address: string, port: number): string => `
  import { connect } from 'node:net';
  const client = connect(${port}, '${address}', () => client.write(Buffer.alloc(${SENT})));
  let got = 0;
  client.on('data', (chunk) => { got += chunk.length; if (got === ${ANSWERED}) client.destroy(); });
  client.on('close', () => console.log('done'));`;

/** What was counted since the last time, of processes by their ids. */
function figures() {
  const of = drained(counted);
  return (pid: number | undefined) => {
    const { bytes, endpoints } = of(pid);
    return { out: bytes('network', 'out'), in: bytes('network', 'in'), endpoints };
  };
}

for (const { family, address } of [
  { family: 'IPv4', address: 'address4' },
  { family: 'IPv6', address: 'address6' },
] as const) {
  for (const { port, kind } of [
    { port: 7_000, kind: 'a port of its own' },
    { port: 50_051, kind: 'a port from the range of momentary ones' },
  ]) {
    test(`counts a TCP connection over ${family} to ${kind}, both ends, by the service's port`, async (t) => {
      const [a, b] = joinedNamespaces(t);
      drained(counted);
      const { child: server } = await inside(t, a, tcpServer(a[address], port));
      const { child: client } = await inside(t, b, tcpClient(a[address], port));
      if (server.exitCode === null) await once(server, 'exit');
      const figuresOf = figures();
      const served = figuresOf(server.pid);
      assert.deepEqual([served.in, served.out], [SENT, ANSWERED]);
      const used = figuresOf(client.pid);
      assert.deepEqual([used.in, used.out], [ANSWERED, SENT]);
      const [from, to] = [served.endpoints[0], used.endpoints[0]];
      assert.deepEqual([served.endpoints.length, used.endpoints.length], [1, 1]);
      assert.equal(from?.remoteAddress, b[address]);
      assert.equal(to?.remoteAddress, a[address]);
      assert.equal(from?.localPort, port);
      assert.equal(to?.remotePort, port);
      assert.deepEqual([from?.inBytes, from?.outBytes, to?.inBytes, to?.outBytes], [SENT, ANSWERED, ANSWERED, SENT]);
      if (port < 32_768) assert.deepEqual([from?.remotePort, to?.localPort], [0, 0]);
    });
  }

  test(`counts what is sent to an address of this machine itself over ${family} as loopback`, async (t) => {
    const [a] = joinedNamespaces(t);
    drained(counted);
    const { child: server } = await inside(t, a, tcpServer(a[address], 7_000));
    const { child: client } = await inside(t, a, tcpClient(a[address], 7_000));
    if (server.exitCode === null) await once(server, 'exit');
    assert.deepEqual(figures()(client.pid), { out: 0, in: 0, endpoints: [] });
  });

  test(`counts UDP of a connected socket over ${family}`, async (t) => {
    const [a, b] = joinedNamespaces(t);
    const type = family === 'IPv4' ? 'udp4' : 'udp6';
    // Somebody has to be there, or the kernel refuses to send.
    await inside(
      t,
      a,
      `import { createSocket } from 'node:dgram';
       createSocket('${type}').bind(53, '${a[address]}', () => console.log('ready'));`,
    );
    drained(counted);
    const { child } = await inside(
      t,
      b,
      `import { createSocket } from 'node:dgram';
       const socket = createSocket('${type}');
       socket.connect(53, '${a[address]}', () => {
         for (let i = 0; i < 20; i += 1) socket.send(Buffer.alloc(1_000), () => { if (i === 19) { socket.close(); console.log('sent'); } });
       });
`,
    );
    assert.deepEqual(figures()(child.pid), {
      ...{ out: 20_000, in: 0 },
      endpoints: [{ localPort: 0, remotePort: 53, remoteAddress: a[address], outBytes: 20_000, inBytes: 0 }],
    });
  });
}

test('knows the service of a connection that was closed before all of it was read', (t) => {
  const [a, b] = joinedNamespaces(t);
  drained(counted);
  // Both ends are closed by the time that perl reads what the first line of the answer left.
  const server =
    'use Socket; socket(S, AF_INET, SOCK_STREAM, 0); setsockopt S, SOL_SOCKET, SO_REUSEADDR, 1; ' +
    'bind S, sockaddr_in(7000, INADDR_ANY) or die; listen S, 1; if (fork) { exit 0 } accept C, S; syswrite C, "x" x 900; close C;';
  const client =
    `use Socket; socket(C, AF_INET, SOCK_STREAM, 0); connect C, sockaddr_in(7000, inet_aton("${a.address4}")) or die $!;` +
    'shutdown C, 1; select undef, undef, undef, 0.3; sysread C, my $x, 2000; die unless length $x == 900;';
  for (const [namespace, program] of [
    [a, server],
    [b, client],
  ] as const) {
    const [file, args] = namespace.inside('perl', '-e', program);
    const child = spawnSync(file, args, { timeout: 10_000, encoding: 'utf8' });
    assert.equal(child.status, 0, child.stderr);
    if (namespace !== b) continue;
    assert.deepEqual(figures()(child.pid).endpoints, [
      { localPort: 0, remotePort: 7_000, remoteAddress: a.address4, outBytes: 0, inBytes: 900 },
    ]);
  }
});
