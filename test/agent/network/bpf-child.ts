import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { BpfNetwork, ownPidNamespace } from '../../../src/agent/network/bpf.ts';
import { openLibc } from '../../../src/kernel/libc.ts';

/** Sends some bytes to itself and says what was counted; with `stay` it goes on. Run by bpf.test.ts. */
const network = new BpfNetwork(openLibc(), { procRoot: '/proc', ownPid: process.pid });
network.read();
const socket = createSocket('udp4').bind(0, '127.0.0.1');
await once(socket, 'listening');
const { port } = socket.address();
for (let count = 0; count < 5; count += 1) socket.send(Buffer.alloc(100), port, '127.0.0.1');
for (let count = 0; count < 5; count += 1) await once(socket, 'message');
socket.close();
const { processes } = network.read();
const stays = process.argv[2] === 'stay';
if (!stays) network.close();
process.stdout.write(
  JSON.stringify({
    ownPid: process.pid,
    namespaced: ownPidNamespace('/proc') !== undefined,
    pids: [...processes.keys()],
    own: processes.get(process.pid),
  }),
);
if (stays) setInterval(() => network.read(), 1_000);
