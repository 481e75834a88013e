import type { Libc } from '../../kernel/libc.ts';
import type { TcpSocket } from '../../kernel/sock-diag.ts';
import { Listeners } from '../identity/listeners.ts';
import { isAlive, type ProcessCounters } from '../snapshot.ts';
import { OwnedSocket, SocketOwners } from './socket-owners.ts';
import { type EndpointBytes, type NetworkBytes, type NetworkReading, type NetworkSource, noBytes } from './source.ts';
import { SsTable } from './ss.ts';
import { SockDiagTable, type TcpTable } from './tcp-table.ts';

/** What this rung never sees, wherever it stands. */
const BLIND_SPOT = 'UDP and short outgoing connections are not attributed (without eBPF)';
/** Endpoints of one reading; what comes after that many still counts for its process. */
const MAX_ENDPOINTS = 16_384;
/** A connection is forgotten when so many whole tables in a row do not show it: its destruction was not heard of. */
const FORGOTTEN_AFTER = 3;

/** Who listens where, of this process's network namespace; `Listeners` knows. */
export interface ListeningPorts {
  /** `isUrgent`: somebody serves a port that is not known yet. */
  refresh(processes: ReadonlyMap<number, ProcessCounters>, options?: { isUrgent?: boolean }): void;
  isListening(port: number): boolean;
  holderOf(port: number): ProcessCounters | undefined;
}

export interface SocketNetworkOptions {
  kernel: { libc: Libc | undefined };
  procRoot: string;
  ownPid: number;
  /** To be shared with whoever else wants to know; `refresh` may be called by both. */
  ports?: ListeningPorts;
}

/** Asks the kernel, or `ss` where its system calls cannot be reached. Never throws: what fails is told by `limitation`. */
export function openSocketNetwork({ kernel, procRoot, ownPid, ports }: SocketNetworkOptions): SocketNetwork {
  const table = kernel.libc === undefined ? new SsTable() : new SockDiagTable(kernel.libc);
  return new SocketNetwork(table, ports ?? new Listeners(procRoot, ownPid), new SocketOwners(procRoot));
}

/** What is remembered of a connection. */
class Connection extends OwnedSocket {
  readonly localPort: number;
  readonly remotePort: number;
  readonly isLoopback: boolean;
  /** Empty until it moved bytes. */
  remoteAddress = '';
  outBytes = 0;
  inBytes = 0;
  /** Some process has it open. */
  isOpen = false;
  /** The table that showed it last. */
  table = -1;

  constructor(socket: TcpSocket) {
    super();
    this.localPort = socket.localPort;
    this.remotePort = socket.remotePort;
    this.isLoopback = socket.isLoopback;
  }
}

interface Move {
  connection: Connection;
  outBytes: number;
  inBytes: number;
}

/**
 * Counts by the byte counters that the kernel keeps of every TCP connection. Those of other network namespaces
 * (containers) are not seen. Bytes go to the process that holds the socket; while that is not known, as of a short
 * connection that no poll showed, to the one that listens on its local port; else to nobody, so that they stand in
 * what the host has more than its processes. A socket whose process ended moves bytes for it to the end of that sample.
 */
export class SocketNetwork implements NetworkSource {
  readonly name = 'sockets';
  readonly #table: TcpTable;
  readonly #ports: ListeningPorts;
  readonly #owners: SocketOwners;
  readonly #connections = new Map<number, Connection>();
  #moves: Move[] = [];
  /** Processes of the reading before. */
  #before: ReadonlyMap<number, ProcessCounters> = new Map();
  /** Whole tables there were, and connections of the one that comes. */
  #tables = 0;
  #shown = 0;
  /** A whole table was seen, so what is new from now on was made since. */
  #hasBaseline = false;

  constructor(table: TcpTable, ports: ListeningPorts, owners: SocketOwners) {
    this.#table = table;
    this.#ports = ports;
    this.#owners = owners;
  }

  get limitation(): string {
    const said = [
      BLIND_SPOT,
      this.#owners.isDenied ? 'connections of other users’ processes are not attributed (needs root)' : undefined,
      this.#table.limitation,
    ];
    return said.filter((part) => part !== undefined).join('; ');
  }

  read(processes: ReadonlyMap<number, ProcessCounters>): NetworkReading {
    this.#shown = 0;
    const isWhole = this.#table.poll(this.#notePolled);
    if (isWhole) this.#forgetVanished();
    this.#table.destroyed(this.#noteDestroyed);
    const moves = this.#moves;
    this.#moves = [];
    const isBaseline = !this.#hasBaseline;
    this.#hasBaseline ||= isWhole;

    this.#ports.refresh(processes, { isUrgent: this.#metUnknownServer(moves) });
    for (const { connection } of moves) {
      if (connection.isOpen) this.#owners.seek(connection, processes, this.#ports.holderOf(connection.localPort));
    }
    this.#owners.search(processes);
    const reading = isBaseline ? { processes: new Map(), endpoints: [] } : this.#attribute(moves, processes);
    this.#before = processes;
    return reading;
  }

  close(): void {
    this.#table.close();
  }

  readonly #notePolled = (socket: TcpSocket): void => {
    const { cookie, inode } = socket;
    let connection = this.#connections.get(cookie);
    if (connection === undefined) {
      connection = new Connection(socket);
      this.#connections.set(cookie, connection);
    }
    if (connection.table !== this.#tables) {
      connection.table = this.#tables;
      this.#shown += 1;
    }
    connection.isOpen = inode !== 0;
    if (inode !== connection.inode) this.#owners.track(connection, inode);
    this.#noteCounters(connection, socket);
  };

  readonly #noteDestroyed = (socket: TcpSocket): void => {
    const { cookie } = socket;
    const connection = this.#connections.get(cookie) ?? new Connection(socket);
    connection.isOpen = false;
    this.#noteCounters(connection, socket);
    this.#forget(cookie, connection);
  };

  #noteCounters(connection: Connection, socket: TcpSocket): void {
    const { outBytes, inBytes } = socket;
    if (connection.outBytes === outBytes && connection.inBytes === inBytes) return;
    // A counter that goes backwards tells nothing about what was moved.
    const movedOut = Math.max(0, outBytes - connection.outBytes);
    const movedIn = Math.max(0, inBytes - connection.inBytes);
    connection.outBytes = outBytes;
    connection.inBytes = inBytes;
    if (movedOut === 0 && movedIn === 0) return;
    if (connection.remoteAddress === '' && !connection.isLoopback) connection.remoteAddress = socket.remoteAddress;
    this.#moves.push({ connection, outBytes: movedOut, inBytes: movedIn });
  }

  /** Short connections that share a port of this side are served; each of a client's has a port of its own. */
  #metUnknownServer(moves: readonly Move[]): boolean {
    const ports = new Set<number>();
    for (const { connection } of moves) {
      const { holder, isOpen, localPort } = connection;
      if (isOpen || holder !== undefined || this.#ports.isListening(localPort)) continue;
      if (ports.has(localPort)) return true;
      ports.add(localPort);
    }
    return false;
  }

  #attribute(moves: readonly Move[], processes: ReadonlyMap<number, ProcessCounters>): NetworkReading {
    const totals = new Map<number, NetworkBytes>();
    const endpoints = new Map<string, EndpointBytes>();
    for (const move of moves) {
      const pid = this.#pidOf(move.connection, processes);
      if (pid === undefined) continue;
      let total = totals.get(pid);
      if (total === undefined) {
        total = noBytes();
        totals.set(pid, total);
      }
      if (move.connection.isLoopback) {
        total.loopbackOutBytes += move.outBytes;
        total.loopbackInBytes += move.inBytes;
      } else {
        total.outBytes += move.outBytes;
        total.inBytes += move.inBytes;
        this.#addEndpoint(endpoints, pid, move);
      }
    }
    return { processes: totals, endpoints: [...endpoints.values()] };
  }

  #addEndpoint(endpoints: Map<string, EndpointBytes>, pid: number, { connection, outBytes, inBytes }: Move): void {
    const { remoteAddress } = connection;
    const isServed = this.#ports.isListening(connection.localPort);
    const localPort = isServed ? connection.localPort : 0;
    const remotePort = isServed ? 0 : connection.remotePort;
    const key = `${pid} ${localPort} ${remotePort} ${remoteAddress}`;
    const known = endpoints.get(key);
    if (known !== undefined) {
      known.outBytes += outBytes;
      known.inBytes += inBytes;
    } else if (endpoints.size < MAX_ENDPOINTS) {
      endpoints.set(key, { pid, localPort, remotePort, remoteAddress, inBytes, outBytes });
    }
  }

  #pidOf({ holder, localPort }: Connection, processes: ReadonlyMap<number, ProcessCounters>): number | undefined {
    if (holder !== undefined && this.#wasThere(holder, processes)) return holder.pid;
    const listener = this.#ports.holderOf(localPort);
    return listener !== undefined && this.#wasThere(listener, processes) ? listener.pid : undefined;
  }

  /** Lives, or ended since the reading before and left its pid to nobody. */
  #wasThere(process: ProcessCounters, processes: ReadonlyMap<number, ProcessCounters>): boolean {
    return isAlive(process, processes) || (isAlive(process, this.#before) && !processes.has(process.pid));
  }

  #forgetVanished(): void {
    const table = this.#tables;
    this.#tables += 1;
    if (this.#shown === this.#connections.size) return;
    for (const [cookie, connection] of this.#connections) {
      if (table - connection.table >= FORGOTTEN_AFTER) this.#forget(cookie, connection);
    }
  }

  #forget(cookie: number, connection: Connection): void {
    this.#owners.forget(connection);
    this.#connections.delete(cookie);
  }
}
