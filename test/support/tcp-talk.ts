import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/**
 * Talks over TCP, as a process of its own, until its standard input ends.
 * `serve HOST`: says its port, and then back whatever it hears.
 * `talk HOST PORT CONNECTIONS BYTES`: says so many bytes over each of so many connections, one after the other, and says
 * `done` when it heard them all; `hold` makes it keep the connections open.
 */
const [task, host = '', port, connections, bytes, hold] = process.argv.slice(2);
process.stdin.on('end', () => process.exit()).resume();

if (task === 'serve') {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
} else {
  for (let count = 0; count < Number(connections); count += 1) {
    const socket = connect(Number(port), host);
    await heard(socket, Number(bytes));
    if (hold !== undefined) continue;
    socket.end();
    await once(socket, 'close');
  }
  process.stdout.write('done\n');
}

async function heard(socket: Socket, wanted: number): Promise<void> {
  let left = wanted;
  const all = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left === 0) resolve();
    });
  });
  socket.write(Buffer.alloc(wanted, 'x'));
  await all;
}
