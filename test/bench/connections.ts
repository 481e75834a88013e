import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Holds so many TCP connections to itself until its standard input ends; says `ready` when there are all of them. */
const BATCH = 100;
const count = Number(process.argv[2]);
process.stdin.on('end', () => process.exit()).resume();
const server = createServer((socket) => socket.resume()).listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
await once(server, 'listening');
const address = server.address();
const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
for (let made = 0; made < count; made += BATCH) {
  const sockets = Array.from({ length: Math.min(BATCH, count - made) }, () => connect(port, '127.0.0.1'));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  for (const socket of sockets) socket.write('hello');
}
process.stdout.write('ready\n');
