import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { NLMSG_DONE, NLMSG_ERROR } from '../../src/kernel/netlink.ts';
import { TcpDestroyed, TcpDump, type TcpSocket } from '../../src/kernel/sock-diag.ts';
import { all, described, fakeKernel, result } from './inet-diag.ts';

/** Answers to both families: these sockets, then nothing. */
function dumped(answers: Buffer[]): TcpSocket[] {
  const { fake } = fakeKernel([Buffer.concat([...answers, result(NLMSG_DONE, 1)]), result(NLMSG_DONE, 2)]);
  return all(new TcpDump(fake));
}

test('asks for IPv4 and IPv6, with counters, in the states that data passes in', () => {
  const { fake, sent } = fakeKernel([result(NLMSG_DONE, 1), result(NLMSG_DONE, 2)]);
  assert.equal(
    new TcpDump(fake).each(() => undefined),
    true,
  );
  assert.deepEqual(
    sent.map((message) => message.toString('hex', 0, 24)),
    [
      `48000000${'14000103'}0100000000000000${'02060200'}320b0000`,
      `48000000${'14000103'}0200000000000000${'0a060200'}320b0000`,
    ],
  );
});

test('takes retransmissions off what was sent, and reads 64 bits of each counter', () => {
  const counters = { acked: 5n, received: 3n * 2n ** 32n + 2n ** 31n, sent: 2n ** 40n + 7n, resent: 2n ** 33n + 9n };
  const [socket] = dumped([described({ cookie: 2n ** 32n + 2n ** 31n, inode: 4_294_967_295, counters })]);
  assert.deepEqual(socket, {
    cookie: 2 ** 32 + 2 ** 31,
    inode: 4_294_967_295,
    localPort: 3_306,
    remotePort: 40_112,
    remoteAddress: '10.0.0.7',
    isLoopback: false,
    outBytes: 2 ** 40 + 7 - 2 ** 33 - 9,
    inBytes: 3 * 2 ** 32 + 2 ** 31,
  });
});

test('takes what was acknowledged for what was sent where the kernel is older than 4.19', () => {
  const counters = { acked: 3_001n, received: 120n };
  for (const infoBytes of [136, 192, 208]) {
    const [socket] = dumped([described({ infoBytes, counters })]);
    assert.deepEqual([socket?.outBytes, socket?.inBytes], [3_001, 120]);
  }
});

test('passes over sockets without counters, and finds those behind them', () => {
  const sockets = dumped([
    described({ cookie: 1n, infoBytes: 0 }),
    described({ cookie: 2n, infoBytes: 104 }),
    described({ cookie: 3n }),
  ]);
  assert.deepEqual(
    sockets.map(({ cookie }) => cookie),
    [3],
  );
});

test('ignores what is left of an earlier answer, and stops at half a message', () => {
  const half = described({ cookie: 9n });
  const { fake } = fakeKernel([
    Buffer.concat([described({ cookie: 1n, sequence: 77 }), result(NLMSG_DONE, 77), described({ cookie: 2n })]),
    Buffer.concat([described({ cookie: 3n }), half.subarray(0, half.length - 8)]),
    result(NLMSG_DONE, 1),
    result(NLMSG_DONE, 2),
  ]);
  assert.deepEqual(
    all(new TcpDump(fake)).map(({ cookie }) => cookie),
    [2, 3],
  );
});

for (const [what, answers] of [
  ['a socket', [described({ flags: 0x12 }), result(NLMSG_DONE, 1), result(NLMSG_DONE, 2)]],
  ['the end', [described({}), result(NLMSG_DONE, 1, 0, 0x12), result(NLMSG_DONE, 2)]],
  ['the other family', [result(NLMSG_DONE, 1), result(NLMSG_DONE, 2, 0, 0x12)]],
] as const) {
  test(`says that some may be missing when ${what} is marked as interrupted`, () => {
    const { fake } = fakeKernel([...answers]);
    assert.equal(
      new TcpDump(fake).each(() => undefined),
      false,
    );
  });
}

for (const [what, answer] of [
  ['an error', result(NLMSG_ERROR, 1, -2)],
  ['an end with an error', result(NLMSG_DONE, 1, -2)],
] as const) {
  test(`throws what the kernel says by ${what}, and starts afresh the next time`, () => {
    const { fake, opened } = fakeKernel([answer, result(NLMSG_DONE, 1), result(NLMSG_DONE, 2)]);
    const dump = new TcpDump(fake);
    assert.throws(() => all(dump), { name: 'KernelError', code: 'ENOENT', message: 'listing TCP sockets: ENOENT' });
    assert.deepEqual(all(dump), []);
    assert.equal(opened(), 2);
  });
}

test('throws when no answer comes', () => {
  const { fake } = fakeKernel([]);
  assert.throws(() => all(new TcpDump(fake)), { code: 'EAGAIN' });
});

for (const [family, local, remote, isLoopback] of [
  [2, '0a000005', '0a000007', false],
  [2, '7f000001', '7f010203', true],
  [2, '0a000005', '0a000005', true],
  [2, '0a000005', '0a7f0000', false],
  [10, '20010db8000000000000000000000001', '20010db8000000000000000000000002', false],
  [10, '20010db8000000000000000000000001', '20010db8000000000000000000000001', true],
  [10, '00000000000000000000000000000001', '00000000000000000000000000000001', true],
  [10, '20010db8000000000000000000000001', '00000000000000000000000000000001', true],
  [10, '20010db8000000000000000000000001', '00000000000000000000000000000002', false],
  [10, '20010db8000000000000000000000001', '00000000000000000000000100000001', false],
  [10, '00000000000000000000ffff0a000005', '00000000000000000000ffff7f000009', true],
  [10, '00000000000000000000ffff0a000005', '00000000000000000000ffff0a000007', false],
  [10, '00000000000000000000ffff0a000005', '00000001000000000000ffff7f000009', false],
] as const) {
  test(`a peer ${remote} of ${local} is ${isLoopback ? '' : 'not '}this machine`, () => {
    const [socket] = dumped([described({ family, local, remote })]);
    assert.equal(socket?.isLoopback, isLoopback);
  });
}

test('hears of destroyed sockets without CAP_NET_ADMIN, with the queue that everybody has', () => {
  const { fake, opened } = fakeKernel(
    [described({ cookie: 7n }), -constants.errno.ENOBUFS, described({ cookie: 8n })],
    {
      setsockopt: -constants.errno.EPERM,
    },
  );
  const cookies: number[] = [];
  const overruns = new TcpDestroyed(fake).drain(({ cookie }) => cookies.push(cookie));
  assert.deepEqual({ overruns, cookies, opened: opened() }, { overruns: 1, cookies: [7, 8], opened: 2 });
});

test('refuses to listen where the kernel does', () => {
  const { fake } = fakeKernel([], { bind: -constants.errno.EACCES });
  assert.throws(() => new TcpDestroyed(fake), { code: 'EACCES', message: 'bind(AF_NETLINK): EACCES' });
});
