import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { SockDiagTable } from '../../../src/agent/network/tcp-table.ts';
import { type Libc, openLibc } from '../../../src/kernel/libc.ts';

const { EACCES, ENOBUFS, ENOENT, EAGAIN } = constants.errno;

/** This machine's calls but those that are to go otherwise. */
function kernel(calls: Partial<Libc>): Libc {
  return { ...openLibc(), ...calls };
}

test('lists this machine’s connections, and has no limitation of its own', () => {
  const table = new SockDiagTable(openLibc());
  assert.equal(
    table.poll(() => undefined),
    true,
  );
  table.destroyed(() => undefined);
  assert.equal(table.limitation, undefined);
  table.close();
});

test('says so while the kernel does not list connections, and recovers', () => {
  const libc = openLibc();
  let isRefused = true;
  const table = new SockDiagTable({ ...libc, send: (...args) => (isRefused ? -ENOENT : libc.send(...args)) });
  assert.equal(
    table.poll(() => assert.fail()),
    false,
  );
  assert.equal(table.limitation, 'TCP connections cannot be listed (send(AF_NETLINK): ENOENT)');
  isRefused = false;
  assert.equal(
    table.poll(() => undefined),
    true,
  );
  assert.equal(table.limitation, undefined);
  table.close();
});

test('lists connections where it may not hear of their end, and says so', () => {
  const libc = openLibc();
  const table = new SockDiagTable(
    // Only the listener asks for groups.
    kernel({ bind: (fd, address) => (address.readUInt32LE(8) === 0 ? libc.bind(fd, address) : -EACCES) }),
  );
  assert.equal(
    table.poll(() => undefined),
    true,
  );
  table.destroyed(() => assert.fail());
  assert.equal(table.limitation, 'connections shorter than a sample are not counted (bind(AF_NETLINK): EACCES)');
  table.close();
});

test('counts how often connections ended faster than they could be counted', () => {
  const answers = [-ENOBUFS, -EAGAIN, -ENOBUFS, -ENOBUFS, -EAGAIN];
  const table = new SockDiagTable(kernel({ recv: () => answers.shift() ?? -EAGAIN }));
  table.destroyed(() => assert.fail());
  assert.equal(table.limitation, 'connections closed faster than they could be counted, 1 times');
  table.destroyed(() => assert.fail());
  assert.equal(table.limitation, 'connections closed faster than they could be counted, 3 times');
  table.close();
});

test('stops to listen when that fails, and says so', () => {
  let calls = 0;
  const table = new SockDiagTable(
    kernel({
      recv: () => {
        calls += 1;
        return -EACCES;
      },
    }),
  );
  table.destroyed(() => assert.fail());
  table.destroyed(() => assert.fail());
  assert.equal(calls, 1);
  assert.match(table.limitation ?? '', /shorter than a sample are not counted \(recv\(AF_NETLINK\): EACCES\)/);
  table.close();
});

test('throws what is no refusal of the kernel', () => {
  const table = new SockDiagTable(openLibc());
  const broken = new Error('a fault of the visitor');
  const visit = (): void => {
    throw broken;
  };
  const fail = kernel({
    send: () => {
      throw broken;
    },
  });
  assert.throws(() => new SockDiagTable(fail).poll(visit), broken);
  table.close();
});
