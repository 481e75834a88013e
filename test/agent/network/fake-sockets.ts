import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { SocketOwners } from '../../../src/agent/network/socket-owners.ts';
import { SocketNetwork } from '../../../src/agent/network/sockets.ts';
import type { TcpTable } from '../../../src/agent/network/tcp-table.ts';
import type { ProcessCounters } from '../../../src/agent/snapshot.ts';
import type { TcpSocket } from '../../../src/kernel/sock-diag.ts';
import { FakeProc } from '../../support/fake-proc.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { type ProcessFields, snapshot } from '../snapshots.ts';

/** The tables that readings to come are to see, in order, and the sockets destroyed before each. */
export class FakeTable implements TcpTable {
  whole = true;
  sockets: TcpSocket[] = [];
  gone: TcpSocket[] = [];
  limitation: string | undefined;
  isClosed = false;

  poll(visit: (socket: TcpSocket) => void): boolean {
    for (const socket of this.sockets) visit(socket);
    return this.whole;
  }

  destroyed(visit: (socket: TcpSocket) => void): void {
    for (const socket of this.gone.splice(0)) visit(socket);
  }

  close(): void {
    this.isClosed = true;
  }
}

/** A connection of the server 3306 to a client elsewhere, with the inode of its cookie unless told otherwise. */
export function connection(
  cookie: number,
  outBytes: number,
  inBytes: number,
  fields: Partial<TcpSocket> = {},
): TcpSocket {
  return {
    cookie,
    inode: cookie,
    localPort: 3_306,
    remotePort: 40_000,
    remoteAddress: '10.0.0.7',
    isLoopback: false,
    outBytes,
    inBytes,
    ...fields,
  };
}

export function closed(cookie: number, outBytes: number, inBytes: number, fields: Partial<TcpSocket> = {}): TcpSocket {
  return connection(cookie, outBytes, inBytes, { inode: 0, ...fields });
}

/** A `SocketNetwork` between a synthetic table of sockets and a synthetic /proc. */
export function networkOnFakes(t: TestContext, { searchMs = 1e9 } = {}) {
  const proc = new FakeProc(scratchFolder(t));
  const table = new FakeTable();
  /** Who listens on which port; null: somebody. */
  const listening = new Map<number, number | null>();
  let living: Record<number, ProcessFields> = {};
  const counters = (pid: number): ProcessCounters => {
    const found = snapshot(0, { [pid]: {}, ...living }).processes.get(pid);
    assert.ok(found !== undefined);
    return found;
  };
  const ports = {
    /** Of each refresh whether it was urgent. */
    urgent: [] as boolean[],
    refresh: (_: unknown, { isUrgent = false } = {}) => {
      ports.urgent.push(isUrgent);
    },
    isListening: (port: number) => listening.has(port),
    holderOf: (port: number) => {
      const pid = listening.get(port);
      return typeof pid === 'number' ? counters(pid) : undefined;
    },
  };
  const network = new SocketNetwork(table, ports, new SocketOwners(proc.procRoot, { searchMs, cpuMs: () => 0 }));
  /** One reading of what moved by pid, as [in, out], and beside it what moved within the machine. */
  const read = (sockets: TcpSocket[], gone: TcpSocket[] = []) => {
    table.sockets = sockets;
    table.gone = gone;
    const { processes, endpoints } = network.read(snapshot(0, living).processes);
    return {
      endpoints,
      processes,
      moved: Object.fromEntries([...processes].map(([pid, bytes]) => [pid, [bytes.inBytes, bytes.outBytes]])),
    };
  };
  return {
    proc,
    table,
    network,
    listening,
    ports,
    read,
    /** Processes and the inodes they hold. */
    hold: (holders: Record<number, number[]>, fields: Record<number, ProcessFields> = {}) => {
      living = {};
      for (const [pid, inodes] of Object.entries(holders)) {
        living[Number(pid)] = fields[Number(pid)] ?? {};
        proc.open(
          Number(pid),
          inodes.map((inode) => `socket:[${inode}]`),
        );
      }
    },
  };
}
