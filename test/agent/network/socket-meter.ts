import { createInterface } from 'node:readline';
import { Listeners } from '../../../src/agent/identity/listeners.ts';
import { SocketOwners } from '../../../src/agent/network/socket-owners.ts';
import { SocketNetwork } from '../../../src/agent/network/sockets.ts';
import { SsTable } from '../../../src/agent/network/ss.ts';
import { SockDiagTable } from '../../../src/agent/network/tcp-table.ts';
import { Scanner } from '../../../src/agent/snapshot.ts';
import { openLibc } from '../../../src/kernel/libc.ts';

const SEARCH_MS = 30_000;

/**
 * Takes a reading of its network namespace for every line it hears, and says it as a line of JSON; run by
 * sockets-kernel.test.ts. With the argument `ss` it goes without system calls.
 */
const table = process.argv[2] === 'ss' ? new SsTable() : new SockDiagTable(openLibc());
// Time enough to find every holder at once, so that what is counted for whom does not depend on the machine.
const owners = new SocketOwners('/proc', { searchMs: SEARCH_MS });
const network = new SocketNetwork(table, new Listeners('/proc', process.pid), owners);
const scanner = new Scanner({ procRoot: '/proc', sysRoot: '/sys', keptDescriptors: 0 });
for await (const _ of createInterface({ input: process.stdin })) {
  const { processes, endpoints } = network.read(scanner.take().processes);
  process.stdout.write(`${JSON.stringify({ processes: [...processes], endpoints, limitation: network.limitation })}\n`);
}
network.close();
