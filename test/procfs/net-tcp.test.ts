import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { KernelText } from '../../src/procfs/kernel-file.ts';
import { parseListening, readListening } from '../../src/procfs/net-tcp.ts';
import { connectionLine, FakeProc, listenLine, TCP_HEADER } from '../support/fake-proc.ts';
import { scratchFolder } from '../support/scratch.ts';

const TCP6 =
  '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n' +
  '   0: 00000000000000000000000000000000:2454 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 51234 1 00000000aabbccdd 100 0 0 10 0\n';

test('parses port and inode of listening sockets', () => {
  const text =
    TCP_HEADER +
    '   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 31337 1 0000000075370920 100 0 0 10 0\n' +
    '   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31338 1 0000000075370921 100 0 0 10 0\n';
  assert.deepEqual(parseListening(text), [
    { inode: 31_337, port: 3_306 },
    { inode: 31_338, port: 80 },
  ]);
  assert.deepEqual(parseListening(TCP6), [{ inode: 51_234, port: 9_300 }]);
});

test('ends at the first socket that is connected', () => {
  assert.deepEqual(parseListening(TCP_HEADER + listenLine(80, 1) + connectionLine(80, 2) + listenLine(81, 3)), [
    { inode: 1, port: 80 },
  ]);
});

test('passes over a line cut short', () => {
  assert.deepEqual(parseListening(TCP_HEADER + listenLine(80, 1) + listenLine(81, 2).slice(0, 60)), [
    { inode: 1, port: 80 },
  ]);
});

test('reads both tables and lives without either', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  const text = new KernelText();
  proc.write('net/tcp', TCP_HEADER + listenLine(80, 1));
  assert.deepEqual(readListening(`${proc.procRoot}/net`, text), [{ inode: 1, port: 80 }]);
  proc.write('net/tcp6', TCP6);
  assert.deepEqual(
    readListening(`${proc.procRoot}/net`, text).map(({ port }) => port),
    [80, 9_300],
  );
  assert.deepEqual(readListening(`${proc.procRoot}/none`, text), []);
});

test('finds every listener of a table longer than its buffer, whatever line the buffer ends in', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  const ports = Array.from({ length: 500 }, (_, index) => 10_000 + index);
  proc.write('net/tcp', TCP_HEADER + ports.map((port) => listenLine(port, port)).join(''));
  assert.deepEqual(
    readListening(`${proc.procRoot}/net`, new KernelText()).map(({ port }) => port),
    ports,
  );
});

test('reads no further than the first page of a table of many connections', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  proc.write('net/tcp', TCP_HEADER + listenLine(80, 1) + connectionLine(80, 2).repeat(2_000));
  const text = new KernelText();
  const size = text.bytes.length;
  assert.deepEqual(readListening(`${proc.procRoot}/net`, text), [{ inode: 1, port: 80 }]);
  assert.equal(text.bytes.length, size);
});

test('finds as many real listeners as fill several pages of the kernel, in a buffer with leftovers', async (t) => {
  const servers = Array.from({ length: 60 }, () => createServer().listen(0, '127.0.0.1'));
  t.after(() => {
    for (const server of servers) server.close();
  });
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const text = new KernelText();
  text.bytes.fill(connectionLine(80, 1));
  const found = new Set(readListening('/proc/self/net', text).map(({ port }) => port));
  for (const server of servers) assert.ok(found.has((server.address() as AddressInfo).port));
});
