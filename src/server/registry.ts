import { EventEmitter } from 'node:events';
import type { AgentRows, Beat, Hello, ServerToAgent, Unreachable } from '../protocol/message.ts';
import type { Upgraded, Want } from '../protocol/release.ts';
import type { HostRow } from '../protocol/row.ts';
import type { HostList, ListedHost } from './host-list.ts';
import { listedRow } from './listed-row.ts';

/** A connected agent, as the rest of the server sees it. */
export interface AgentConnection {
  readonly hello: Hello;
  /** Where the agent speaks from. */
  readonly address: string;
  /** Sent, and not taken from this machine yet. */
  readonly unreadBytes: number;
  send(message: ServerToAgent): void;
  /** Ends the connection because another one speaks for the host now. */
  replace(): void;
  /** Tells the agent to end for good, as its host is no longer of the mesh. */
  retire(reason: string): void;
  /** Ends the connection because its token is void at the moment; the agent tries again. */
  expire(reason: string): void;
  /** Ends the connection because of what the agent said in no order. */
  misbehave(reason: string): void;
}

interface HostState {
  host: string;
  connection: AgentConnection | undefined;
  version: string | undefined;
  beat: Beat | undefined;
  /** Epoch ms of the last sign of life; undefined when this server never saw one. */
  lastSeenMs: number | undefined;
  /** Monotonic time of the last beat. */
  lastBeatAt: number;
  /** As it was told last. */
  isLate: boolean;
  /** That another agent speaks for it too, and until when that is said, monotonic. */
  contest: { message: string; until: number } | undefined;
  /** Why it is gone. */
  message: string | undefined;
}

interface RegistryEvents {
  /** A host was added, beat, or changed its status. */
  change: [host: string];
  connected: [host: string, connection: AgentConnection];
  disconnected: [host: string];
  beat: [host: string, beat: Beat];
  rows: [host: string, rows: AgentRows];
  /** An interval of its, that ended then, is in the store. */
  stored: [host: string, endMs: number];
  /** Its agent asks for a piece of a release, or tells how far it is with one. */
  upgrade: [host: string, message: Want | Upgraded];
  /** On its way here the agent of a host could not reach another server, named by its URL. */
  unreachable: [host: string, Unreachable];
}

/** A connected host is `late` when it has not beaten for this many of its sample periods. */
const LATE_PERIODS = 3;
/** Nobody says that time has passed: the hosts are looked at this often. */
const REVIEW_MS = 500;
/** An agent that was replaced comes back within 10 s: that there are two is said until neither did for so long. */
const CONTEST_MS = 60_000;

/** The live state of every host this server knows: those of the list, and those that only history knows. */
export class Registry extends EventEmitter<RegistryEvents> {
  readonly #hosts = new Map<string, HostState>();
  readonly #serverName: string;
  readonly #review = setInterval(() => this.#reviewAll(), REVIEW_MS).unref();
  #reviewedAt = performance.now();
  #list: HostList | undefined;
  #sampleMs: number;

  constructor(options: { serverName: string; sampleMs: number }) {
    super();
    this.#serverName = options.serverName;
    this.#sampleMs = options.sampleMs;
    this.setMaxListeners(0);
  }

  close(): void {
    clearInterval(this.#review);
  }

  /** From now on the hosts of the list are known, with what the list says of them. */
  follow(list: HostList): void {
    this.#list = list;
    list.on('change', (changes) => {
      for (const { host, after } of changes) {
        if (after !== undefined) this.#of(host);
        else this.#forgetUnseen(host);
        this.emit('change', host);
      }
    });
  }

  setSamplePeriod(sampleMs: number): void {
    this.#sampleMs = sampleMs;
  }

  /** A host from history that has not connected yet. */
  remember(host: string, lastSeenMs: number): void {
    const state = this.#of(host);
    state.lastSeenMs ??= lastSeenMs;
    this.emit('change', host);
  }

  connect(connection: AgentConnection): void {
    const { host, version } = connection.hello;
    const state = this.#of(host);
    const former = state.connection;
    state.connection = connection;
    state.version = version;
    state.message = undefined;
    state.beat = undefined;
    state.lastSeenMs = Date.now();
    state.lastBeatAt = performance.now();
    state.isLate = false;
    former?.replace();
    this.emit('connected', host, connection);
    this.emit('change', host);
    for (const server of connection.hello.unreachable ?? []) this.emit('unreachable', host, server);
  }

  /** An agent was replaced that was there and well: two speak for one host, and take turns. */
  contest(replaced: AgentConnection): void {
    const { host } = replaced.hello;
    const state = this.#hosts.get(host);
    if (state?.connection === undefined) return;
    const [from, and] = [replaced.address, state.connection.address].sort();
    this.#contested(state, from === and ? `, both from ${from}` : `: from ${from} and ${and}`);
  }

  /** Another agent than the one that is connected here is connected to another server. */
  contestAt(host: string, server: string): void {
    const state = this.#hosts.get(host);
    if (state?.connection === undefined) return;
    this.#contested(state, `: from ${state.connection.address}, and another one at ${server}`);
  }

  /** Does nothing when another connection has taken the host over. */
  disconnect(connection: AgentConnection, reason: string): void {
    const state = this.#hosts.get(connection.hello.host);
    if (state?.connection !== connection) return;
    state.connection = undefined;
    state.message = reason;
    this.emit('disconnected', state.host);
    this.emit('change', state.host);
  }

  beat(connection: AgentConnection, beat: Beat): void {
    const state = this.#hosts.get(connection.hello.host);
    if (state?.connection !== connection) return;
    state.beat = beat;
    state.lastSeenMs = Date.now();
    state.lastBeatAt = performance.now();
    state.isLate = false;
    this.emit('beat', state.host, beat);
    this.emit('change', state.host);
  }

  rows(connection: AgentConnection, rows: AgentRows): void {
    if (this.#hosts.get(connection.hello.host)?.connection === connection)
      this.emit('rows', connection.hello.host, rows);
  }

  stored(connection: AgentConnection, endMs: number): void {
    if (this.#hosts.get(connection.hello.host)?.connection === connection)
      this.emit('stored', connection.hello.host, endMs);
  }

  upgrade(connection: AgentConnection, message: Want | Upgraded): void {
    if (this.#hosts.get(connection.hello.host)?.connection === connection)
      this.emit('upgrade', connection.hello.host, message);
  }

  has(host: string): boolean {
    return this.#hosts.has(host);
  }

  hostNames(): string[] {
    return [...this.#hosts.keys()];
  }

  connectionOf(host: string): AgentConnection | undefined {
    return this.#hosts.get(host)?.connection;
  }

  beatOf(host: string): Beat | undefined {
    return this.#hosts.get(host)?.beat;
  }

  row(host: string): HostRow | undefined {
    const state = this.#hosts.get(host);
    if (state === undefined) return undefined;
    const { beat, connection } = state;
    const status = connection === undefined ? 'offline' : this.#isLate(state) ? 'late' : 'online';
    const row: HostRow = { host, status };
    if (state.version !== undefined) row.version = state.version;
    if (connection !== undefined) row.server = this.#serverName;
    if (state.lastSeenMs !== undefined) row.lastSeenAt = new Date(state.lastSeenMs).toISOString();
    // Figures of a host that is gone are not figures of now.
    if (beat !== undefined && connection !== undefined) {
      Object.assign(row, beat.usage, { agent: beat.agent, culprits: beat.culprits });
      if (beat.netSource !== undefined) row.netSource = beat.netSource;
      if (beat.network !== undefined) row.network = beat.network;
    }
    const message = connection === undefined ? state.message : (state.contest?.message ?? beat?.message);
    if (message !== undefined) row.message = message;
    const listed = this.#list?.get(host);
    return listed === undefined ? row : listedRow(row, listed, this.#isElsewhere(listed));
  }

  /** What is connected here is known here: a note that says so of another host was left by a server that was killed. */
  #isElsewhere(listed: ListedHost): boolean {
    return listed.server !== this.#serverName && this.#list?.isConnected(listed) === true;
  }

  #contested(state: HostState, where: string): void {
    state.contest = { message: `two agents speak for this host${where}`, until: performance.now() + CONTEST_MS };
    this.emit('change', state.host);
  }

  #forgetUnseen(host: string): void {
    const state = this.#hosts.get(host);
    if (state?.connection === undefined && state?.lastSeenMs === undefined) this.#hosts.delete(host);
  }

  #isLate({ lastBeatAt, beat }: HostState): boolean {
    return performance.now() - lastBeatAt > LATE_PERIODS * Math.max(this.#sampleMs, beat?.agent.sampleMs ?? 0);
  }

  /** Tells of what has changed by the mere passing of time. */
  #reviewAll(): void {
    const now = performance.now();
    const sinceMs = now - this.#reviewedAt;
    this.#reviewedAt = now;
    // This process itself was stopped: what agents have said meanwhile is still to be read.
    if (sinceMs > 2 * REVIEW_MS) return;
    for (const state of this.#hosts.values()) {
      const isLate = state.connection !== undefined && this.#isLate(state);
      const isOver = state.contest !== undefined && now > state.contest.until;
      if (isOver) state.contest = undefined;
      if (isLate === state.isLate && !isOver) continue;
      state.isLate = isLate;
      this.emit('change', state.host);
    }
  }

  #of(host: string): HostState {
    let state = this.#hosts.get(host);
    if (state === undefined) {
      state = {
        host,
        connection: undefined,
        version: undefined,
        beat: undefined,
        lastSeenMs: undefined,
        lastBeatAt: 0,
        isLate: false,
        contest: undefined,
        message: undefined,
      };
      this.#hosts.set(host, state);
    }
    return state;
  }
}
