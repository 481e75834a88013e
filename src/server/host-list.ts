import { EventEmitter } from 'node:events';
import { type FleetHost, type FleetStore, type HostDetail, ISTATE, type MeshServer } from '../store/fleet.ts';
import { isAlive } from './alive.ts';
import { parseHostAddress } from './host-address.ts';

/** What is asked for by SQL is noticed within twice this. */
const READ_EVERY_MS = 1_000;
/** After so long without a reading nobody could say that it lives, or has come back. */
const BREAK_MS = 5_000;

/** A row of `tb_monitor_host_config` and what is noted of it. */
export interface ListedHost extends FleetHost {
  /** What the host is called everywhere; of a row that cannot be taken, what is written there. */
  host: string;
  /** Why the row cannot be taken, in plain words. */
  fault?: string;
}

/** What became of a host: absent before it was listed, and after it was taken out of the list. */
export interface HostChange {
  host: string;
  before: ListedHost | undefined;
  after: ListedHost | undefined;
}

/** What was read at one time, by whoever judges it. */
export interface MeshReading {
  hosts: readonly ListedHost[];
  servers: readonly MeshServer[];
  /** When it was asked for, by the monotonic clock: it may be old while the store is away. */
  readAt: number;
  /** Since when readings have followed each other without a break: before, the store was away, or this server was. */
  steadySince: number;
}

interface HostListEvents {
  change: [readonly HostChange[]];
  /** The store cannot be read: the last copy stays. Told once, until it can be again. */
  trouble: [Error];
}

/** This server's copy of the list of hosts, and of the servers that live. While the store is away the last copy stays. */
export class HostList extends EventEmitter<HostListEvents> {
  readonly #fleet: FleetStore;
  #hosts = new Map<string, ListedHost>();
  /** The same by `rshost`. */
  #rows = new Map<string, ListedHost>();
  #read: Omit<MeshReading, 'hosts'> | undefined;
  #alive = new Set<string>();
  /** What the store may not know yet. */
  readonly #carried = new Map<string, Pick<HostDetail, 'tokenGeneration' | 'isDeployed'>>();
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;
  #isTroubled = false;
  /** Whoever waits for the reading after the one that is under way. */
  #next: PromiseWithResolvers<void> | undefined;

  constructor(fleet: FleetStore) {
    super();
    this.#fleet = fleet;
    this.setMaxListeners(0);
  }

  /** Reads the list, then again and again. Rejects when the first reading does. */
  start(): Promise<void> {
    this.#timer = setInterval(() => {
      if (!this.#isReading) this.refresh().catch(() => undefined);
    }, READ_EVERY_MS);
    return this.refresh();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Resolves when a reading that began after this call is taken over. Rejects when the store cannot be read. */
  refresh(): Promise<void> {
    this.#next ??= Promise.withResolvers();
    const { promise } = this.#next;
    if (!this.#isReading) void this.#readAll();
    return promise;
  }

  get(host: string): ListedHost | undefined {
    return this.#hosts.get(host);
  }

  all(): IterableIterator<ListedHost> {
    return this.#hosts.values();
  }

  get isRead(): boolean {
    return this.#read !== undefined;
  }

  /** The last one that succeeded; undefined before the first. */
  get reading(): MeshReading | undefined {
    return this.#read && { ...this.#read, hosts: [...this.#hosts.values()] };
  }

  /** Of the tokens that its agent is let in with; undefined for a host that is not listed, or is taken offline. */
  generationOf(host: string): number | undefined {
    const listed = this.#hosts.get(host);
    return listed !== undefined && isAdmitted(listed) ? (listed.tokenGeneration ?? 0) : undefined;
  }

  /** Its agent has come with a token of this generation: older ones are void at once, and in the store as soon as it takes that. */
  rotated(host: string, generation: number): void {
    const before = this.#hosts.get(host);
    if (before === undefined || (before.tokenGeneration ?? 0) >= generation) return;
    this.#carried.set(host, { ...this.#carried.get(host), tokenGeneration: generation });
    const after = { ...before, tokenGeneration: generation };
    this.#hosts.set(host, after);
    this.emit('change', [{ host, before, after }]);
    this.#note(after, { tokenGeneration: generation });
  }

  /** Whether its agent is connected, to whichever server. */
  isConnected({ server, disconnectedMs }: ListedHost): boolean {
    return server !== undefined && disconnectedMs === undefined && this.#alive.has(server);
  }

  /** Waits until the host is so, or is listed no more. Rejects when the signal aborts. */
  async until(host: string, isSo: (listed: ListedHost) => boolean, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = (): void => {
      const listed = this.#hosts.get(host);
      if (listed === undefined || isSo(listed)) resolve();
    };
    const onAbort = (): void => reject(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener('abort', onAbort, { once: true });
    this.on('change', check);
    check();
    try {
      await promise;
    } finally {
      this.off('change', check);
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    while (this.#next !== undefined) {
      const asked = this.#next;
      this.#next = undefined;
      // Nobody may wait for it.
      asked.promise.catch(() => undefined);
      try {
        const readAt = performance.now();
        const [hosts, servers] = await Promise.all([this.#fleet.hosts(), this.#fleet.servers()]);
        this.#isTroubled = false;
        const before = this.#read;
        const isSteady = before !== undefined && readAt - before.readAt <= BREAK_MS;
        this.#read = { servers, readAt, steadySince: isSteady ? before.steadySince : readAt };
        this.#alive = new Set(servers.filter(isAlive).map(({ name }) => name));
        this.#take(hosts);
        asked.resolve();
      } catch (error) {
        const trouble = error instanceof Error ? error : new Error(String(error));
        if (!this.#isTroubled) this.emit('trouble', trouble);
        this.#isTroubled = true;
        asked.reject(trouble);
      }
    }
    this.#isReading = false;
  }

  #take(rows: readonly FleetHost[]): void {
    const hosts = new Map<string, ListedHost>();
    const changes: HostChange[] = [];
    for (const row of activeFirst(rows)) {
      // Of ten thousand rows hardly one is another than a second ago: that must cost little.
      const same = this.#rows.get(row.rshost);
      if (same !== undefined && this.#isSettled(same, hosts) && isUnchanged(same, row)) {
        hosts.set(same.host, same);
        continue;
      }
      const { host, fault } = named(row, hosts);
      // What has been taken offline makes room for another row of the same host.
      if (fault !== undefined && row.istate === ISTATE.offline) continue;
      const before = this.#hosts.get(host);
      const after: ListedHost = { ...row, host, ...(fault !== undefined && { fault }) };
      if (fault === undefined) this.#carry(before, after);
      const isSame = before !== undefined && isEqual(before, after);
      hosts.set(host, isSame ? before : after);
      if (!isSame) changes.push({ host, before, after });
    }
    for (const [host, before] of this.#hosts) if (!hosts.has(host)) changes.push({ host, before, after: undefined });
    for (const host of this.#carried.keys()) if (!hosts.has(host)) this.#carried.delete(host);
    this.#hosts = hosts;
    if (changes.length > 0) this.#rows = new Map(Array.from(hosts.values(), (listed) => [listed.rshost, listed]));
    if (changes.length > 0) this.emit('change', changes);
  }

  /** Whether nothing but its own row decides what it is. */
  #isSettled({ host, fault }: ListedHost, hosts: ReadonlyMap<string, ListedHost>): boolean {
    return fault === undefined && !hosts.has(host) && !this.#carried.has(host);
  }

  /**
   * A row that is written in another way is of the same host still: what is installed there is, and its old tokens are
   * void. What the store does not know of that yet is noted with every reading.
   */
  #carry(before: ListedHost | undefined, after: ListedHost): void {
    const { host, rshost, tokenGeneration = 0, isDeployed } = after;
    if (before !== undefined && before.rshost !== rshost)
      this.#carried.set(host, { tokenGeneration: before.tokenGeneration, isDeployed: before.isDeployed });
    const carried = this.#carried.get(host);
    if (carried === undefined) return;
    const generation = Math.max(carried.tokenGeneration ?? 0, tokenGeneration);
    const detail: HostDetail = {
      ...(generation > tokenGeneration && { tokenGeneration: generation }),
      ...(carried.isDeployed && !isDeployed && { isDeployed: true }),
    };
    if (Object.keys(detail).length === 0) this.#carried.delete(host);
    else this.#note(Object.assign(after, detail), detail);
  }

  #note({ rshost }: ListedHost, detail: HostDetail): void {
    // The next reading tells whether it is in the store, and whether there is trouble with that.
    this.#fleet.note(rshost, detail).catch(() => undefined);
  }
}

/** Of two rows of one host the first counts that has not been taken offline. */
function activeFirst(rows: readonly FleetHost[]): FleetHost[] {
  return rows.toSorted((a, b) => Number(a.istate === ISTATE.offline) - Number(b.istate === ISTATE.offline));
}

function named(
  { rshost }: FleetHost,
  hosts: ReadonlyMap<string, ListedHost>,
): { host: string; fault: string | undefined } {
  const host = parseHostAddress(rshost)?.host;
  if (host === undefined) return { host: rshost, fault: 'this is no host: write HOST or user@HOST:port' };
  const first = hosts.get(host)?.rshost;
  if (first === undefined) return { host, fault: undefined };
  return { host: rshost, fault: `${host} is listed already, as ${first}: remove one of them` };
}

/** Whether the host's agent is let in: it runs, or is being brought online. */
export function isAdmitted({ istate, fault }: ListedHost): boolean {
  return fault === undefined && (istate === ISTATE.running || istate === ISTATE.bringOnline);
}

function isEqual(a: ListedHost, b: ListedHost): boolean {
  return a.host === b.host && a.fault === b.fault && isUnchanged(a, b);
}

function isUnchanged(before: FleetHost, after: FleetHost): boolean {
  for (const field of FIELDS) if (before[field] !== after[field]) return false;
  return true;
}

const FIELDS = Object.keys({
  ...{ rshost: 0, istate: 0, phase: 0, failure: 0, attempts: 0, isDeployed: 0 },
  ...{ tokenGeneration: 0, server: 0, disconnectedMs: 0, version: 0 },
  ...{ release: 0, wanted: 0, upgrade: 0, upgradeFailure: 0 },
} satisfies { [field in keyof FleetHost]-?: 0 }) as (keyof FleetHost)[];
