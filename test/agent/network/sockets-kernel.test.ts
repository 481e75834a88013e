import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openSocketNetwork } from '../../../src/agent/network/sockets.ts';
import { type EndpointBytes, type NetworkBytes, noBytes } from '../../../src/agent/network/source.ts';
import { SsTable } from '../../../src/agent/network/ss.ts';
import { SockDiagTable, type TcpTable } from '../../../src/agent/network/tcp-table.ts';
import { openLibc } from '../../../src/kernel/libc.ts';
import type { TcpSocket } from '../../../src/kernel/sock-diag.ts';
import { joinedNamespaces, type NetNamespace } from '../../support/net-namespaces.ts';

const TALK = fileURLToPath(new URL('../../support/tcp-talk.ts', import.meta.url));
const PASS = fileURLToPath(new URL('../../support/tcp-pass.ts', import.meta.url));
const METER = fileURLToPath(new URL('./socket-meter.ts', import.meta.url));
const DEADLINE_MS = 30_000;
const MB = 1_000_000;

const here: Pick<NetNamespace, 'inside'> = { inside: (program, ...args) => [program, [...args]] };

/** A process that is asked and answers line by line, and ends when its input does. */
class Partner {
  readonly pid: number;
  readonly #stdin: Writable;
  readonly #lines: AsyncIterator<string>;

  constructor(t: TestContext, where: Pick<NetNamespace, 'inside'>, ...args: readonly string[]) {
    const [file, all] = where.inside(process.execPath, ...args);
    const child = spawn(file, all, { stdio: ['pipe', 'pipe', 'inherit'] });
    assert.ok(child.pid !== undefined);
    this.pid = child.pid;
    this.#stdin = child.stdin;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    t.after(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
  }

  async line(): Promise<string> {
    const timeout = AbortSignal.timeout(DEADLINE_MS);
    const late = once(timeout, 'abort').then(() => assert.fail('it does not answer'));
    const { value, done } = await Promise.race([this.#lines.next(), late]);
    assert.ok(!done, 'it ended');
    return value;
  }

  ask(): Promise<string> {
    this.#stdin.write('\n');
    return this.line();
  }
}

interface Reading {
  processes: [pid: number, bytes: NetworkBytes][];
  endpoints: EndpointBytes[];
  limitation: string;
}

/** A `SocketNetwork` of a namespace, and the sums of what it read. */
class Meter {
  readonly sums = new Map<number, NetworkBytes>();
  endpoints: EndpointBytes[] = [];
  limitation = '';
  readonly #partner: Partner;

  constructor(t: TestContext, where: Pick<NetNamespace, 'inside'>, ...args: readonly string[]) {
    this.#partner = new Partner(t, where, METER, ...args);
  }

  async read(): Promise<void> {
    const { processes, endpoints, limitation } = JSON.parse(await this.#partner.ask()) as Reading;
    for (const [pid, bytes] of processes) {
      const sum = this.of(pid);
      for (const key of Object.keys(bytes) as (keyof NetworkBytes)[]) sum[key] += bytes[key];
      this.sums.set(pid, sum);
    }
    this.endpoints.push(...endpoints);
    this.limitation = limitation;
  }

  /** Reads until it is so: the kernel tells of a connection's end a moment after it. */
  async until(isSo: () => boolean): Promise<void> {
    for (const end = Date.now() + DEADLINE_MS; !isSo(); await this.read()) {
      assert.ok(Date.now() < end, `not counted in time: ${JSON.stringify([...this.sums])}`);
    }
  }

  of(pid: number): NetworkBytes {
    return this.sums.get(pid) ?? noBytes();
  }
}

async function server(t: TestContext, where: Pick<NetNamespace, 'inside'>, host: string) {
  const partner = new Partner(t, where, TALK, 'serve', host);
  return { pid: partner.pid, port: await partner.line() };
}

async function talk(t: TestContext, where: Pick<NetNamespace, 'inside'>, ...args: readonly string[]): Promise<number> {
  const partner = new Partner(t, where, TALK, 'talk', ...args);
  assert.equal(await partner.line(), 'done');
  return partner.pid;
}

/** Of what was received, one byte for each connection that the other side closed is no payload. */
function assertWithin(counted: number, true_: number, ends: number): void {
  assert.ok(counted >= true_ && counted <= true_ + ends, `${counted} of ${true_}`);
}

for (const host of ['127.0.0.1', '::1']) {
  test(`counts to the byte what two processes say to each other over ${host}`, async (t) => {
    const { pid, port } = await server(t, here, host);
    const meter = new Meter(t, here);
    await meter.read();
    const client = await talk(t, here, host, port, '3', String(2 * MB), 'hold');
    await meter.until(() => meter.of(client).loopbackInBytes >= 6 * MB);
    const expected = { ...noBytes(), loopbackInBytes: 6 * MB, loopbackOutBytes: 6 * MB };
    assert.deepEqual([meter.of(pid), meter.of(client)], [expected, expected]);
    assert.deepEqual(
      meter.endpoints.filter((endpoint) => endpoint.pid === client),
      [],
    );
  });
}

test('opens on this machine with and without system calls, and says which fail', (t) => {
  for (const [libc, lacks] of [
    [openLibc(), /\(without eBPF\)$/],
    [undefined, /; bytes are shown a sample late$/],
  ] as const) {
    const network = openSocketNetwork({ kernel: { libc }, procRoot: '/proc', ownPid: process.pid });
    t.after(() => network.close());
    assert.deepEqual(network.read(new Map()), { processes: new Map(), endpoints: [] });
    assert.match(network.limitation, lacks);
  }
});

test('counts short connections for the server, and for nobody on the side that made them', async (t) => {
  const { pid, port } = await server(t, here, '127.0.0.1');
  const meter = new Meter(t, here);
  await meter.read();
  const client = await talk(t, here, '127.0.0.1', port, '200', '1000');
  await meter.until(() => meter.of(pid).loopbackOutBytes >= 200_000);
  assert.equal(meter.of(pid).loopbackOutBytes, 200_000);
  assertWithin(meter.of(pid).loopbackInBytes, 200_000, 200);
  assert.deepEqual(meter.of(client), noBytes());
});

test('counts for the process that a connection was passed on to', async (t) => {
  const [pid, port = ''] = (await new Partner(t, here, PASS).line()).split(' ');
  const worker = Number(pid);
  const meter = new Meter(t, here);
  await meter.read();
  // Until the worker is found, what it moves is counted for the process that listens.
  while (meter.of(worker).loopbackInBytes === 0) {
    await talk(t, here, '127.0.0.1', port, '1', '1', 'hold');
    await meter.read();
  }
  const { loopbackInBytes, loopbackOutBytes } = meter.of(worker);
  await talk(t, here, '127.0.0.1', port, '2', String(MB), 'hold');
  await meter.until(() => meter.of(worker).loopbackInBytes > loopbackInBytes);
  assert.equal(meter.of(worker).loopbackInBytes - loopbackInBytes, 2 * MB);
  assert.equal(meter.of(worker).loopbackOutBytes - loopbackOutBytes, 2 * MB);
});

for (const [name, address] of [
  ['IPv4', 'address4'],
  ['IPv6', 'address6'],
] as const) {
  test(`counts to the byte on either side of a network what goes over it by ${name}, and with whom`, async (t) => {
    const [near, far] = joinedNamespaces(t);
    const { pid, port } = await server(t, far, '::');
    const [nearMeter, farMeter] = [new Meter(t, near), new Meter(t, far)];
    await Promise.all([nearMeter.read(), farMeter.read()]);
    const client = await talk(t, near, far[address], port, '2', String(5 * MB), 'hold');
    await nearMeter.until(() => nearMeter.of(client).inBytes >= 10 * MB);
    await farMeter.until(() => farMeter.of(pid).inBytes >= 10 * MB);
    const expected = { ...noBytes(), inBytes: 10 * MB, outBytes: 10 * MB };
    assert.deepEqual([nearMeter.of(client), farMeter.of(pid)], [expected, expected]);
    const ends = { inBytes: 10 * MB, outBytes: 10 * MB };
    assert.deepEqual(nearMeter.endpoints, [
      { pid: client, localPort: 0, remotePort: Number(port), remoteAddress: far[address], ...ends },
    ]);
    assert.deepEqual(farMeter.endpoints, [
      { pid, localPort: Number(port), remotePort: 0, remoteAddress: near[address], ...ends },
    ]);

    const brief = await talk(t, near, far[address], port, '100', '3000');
    await farMeter.until(() => farMeter.of(pid).outBytes >= 10 * MB + 300_000);
    assert.equal(farMeter.of(pid).outBytes, 10 * MB + 300_000);
    assertWithin(farMeter.of(pid).inBytes, 10 * MB + 300_000, 100);
    await nearMeter.read();
    assert.deepEqual(nearMeter.of(brief), noBytes());
    assert.equal(nearMeter.limitation, 'UDP and short outgoing connections are not attributed (without eBPF)');
  });
}

/** Connections of one port, by cookie. */
async function connections(table: TcpTable, port: number): Promise<TcpSocket[]> {
  for (const end = Date.now() + DEADLINE_MS; ; await turn()) {
    assert.ok(Date.now() < end, table.limitation ?? 'no table in time');
    const found: TcpSocket[] = [];
    const isWhole = table.poll((socket) => {
      const { cookie, inode, localPort, remotePort, remoteAddress, isLoopback, outBytes, inBytes } = socket;
      if (localPort !== port && remotePort !== port) return;
      found.push({ cookie, inode, localPort, remotePort, remoteAddress, isLoopback, outBytes, inBytes });
    });
    if (isWhole) return found.sort((a, b) => a.cookie - b.cookie);
  }
}

for (const [host, listenOn] of [
  ['127.0.0.1', '127.0.0.1'],
  ['127.0.0.1', '::'],
  ['::1', '::'],
] as const) {
  test(`hears the same from ss as from the kernel about connections to ${host} of a server on ${listenOn}`, async (t) => {
    assert.equal(spawnSync('ss', ['-V']).error, undefined, 'this test needs ss(8): apt-get install iproute2');
    const { port } = await server(t, here, listenOn);
    await talk(t, here, host, port, '3', '100000', 'hold');
    const tables = [new SockDiagTable(openLibc()), new SsTable()] as const;
    t.after(() => {
      for (const table of tables) table.close();
    });
    const [bySockDiag, bySs] = [await connections(tables[0], Number(port)), await connections(tables[1], Number(port))];
    assert.equal(bySockDiag.length, 6);
    assert.deepEqual(bySs, bySockDiag);
  });
}

test('counts by ss what is held open and what was short', async (t) => {
  assert.equal(spawnSync('ss', ['-V']).error, undefined, 'this test needs ss(8): apt-get install iproute2');
  const [near, far] = joinedNamespaces(t);
  const [first, second] = [await server(t, far, '::'), await server(t, far, '::')];
  const meter = new Meter(t, far, 'ss');
  // Short connections are counted from when the first table came and the listener listens.
  await meter.until(() => meter.limitation !== '');
  while (meter.of(first.pid).outBytes === 0) {
    await talk(t, near, far.address4, first.port, '1', '10');
    await meter.read();
  }
  await talk(t, near, far.address4, second.port, '2', String(MB), 'hold');
  await talk(t, near, far.address6, second.port, '50', '1000');
  await meter.until(() => meter.of(second.pid).outBytes >= 2 * MB + 50_000);
  assert.equal(meter.of(second.pid).outBytes, 2 * MB + 50_000);
  assertWithin(meter.of(second.pid).inBytes, 2 * MB + 50_000, 50);
  assert.equal(
    meter.limitation,
    'UDP and short outgoing connections are not attributed (without eBPF); bytes are shown a sample late',
  );
});
