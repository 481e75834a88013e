import type { TestContext } from 'node:test';
import type { ViewerRows } from '../../src/protocol/message.ts';
import type { Query } from '../../src/protocol/query.ts';
import type { ProcessRow } from '../../src/protocol/row.ts';
import { FakeAgent } from './fake-agent.ts';
import { openServer, type TestServer } from './test-server.ts';
import type { Wire } from './wire.ts';

/** How long the server gathers answers, and how long it waits for the slowest host. */
const GATHER_MS = 15;
export const PATIENCE_MS = 1_000;

/**
 * A server, agents and viewers whose time stands still: frames travel over real sockets, but the server's timers run
 * only when a test lets them, so that every answer is known to be whole.
 */
export class Fleet {
  readonly server: TestServer;
  readonly agents = new Map<string, FakeAgent>();
  readonly #viewers: Wire[] = [];
  readonly #tick: (ms: number) => void;
  #frames = 0;

  constructor(server: TestServer, tick: (ms: number) => void) {
    this.server = server;
    this.#tick = tick;
  }

  agent(host: string): FakeAgent {
    const agent = this.agents.get(host);
    if (agent === undefined) throw new RangeError(`no agent ${host}`);
    return agent;
  }

  /** Connects an agent that has taken its first sample. */
  async add(host: string, table: ProcessRow[]): Promise<FakeAgent> {
    const agent = new FakeAgent(host, await this.server.connect('agent', { host }));
    agent.wire.on('message', () => {
      this.#frames += 1;
    });
    agent.hello();
    await agent.wire.next('welcome');
    agent.sample(table);
    this.agents.set(host, agent);
    await agent.wire.settled();
    return agent;
  }

  /** Ends an agent's connection; resolves when the server has noticed. */
  async remove(host: string): Promise<void> {
    const gone = new Promise((resolve) => this.server.server.once('disconnected', resolve));
    this.agent(host).wire.socket.terminate();
    this.agents.delete(host);
    await gone;
  }

  async ask(query: Query): Promise<Wire> {
    const viewer = await this.server.viewer(query);
    viewer.on('message', () => {
      this.#frames += 1;
    });
    this.#viewers.push(viewer);
    await this.rest();
    return viewer;
  }

  /** Lets the server's timers run on. */
  async pass(ms: number): Promise<void> {
    await this.#arrive();
    this.#tick(ms);
    await this.#arrive();
  }

  /** Resolves when nobody has anything more to say. */
  async rest(): Promise<void> {
    let before: number;
    do {
      before = this.#frames;
      await this.pass(GATHER_MS);
    } while (this.#frames > before);
  }

  /** Everybody takes a sample, of the tables as they are now. */
  async sampleAll(): Promise<void> {
    for (const agent of this.agents.values()) agent.sample();
    await this.rest();
  }

  /** What is under way arrives: questions of viewers, what the server asks agents about them, and what they answer. */
  async #arrive(): Promise<void> {
    const agents = [...this.agents.values()].map(({ wire }) => wire);
    const viewers = this.#viewers.filter(({ socket }) => socket.readyState === socket.OPEN);
    for (const wires of [agents, viewers, agents, agents, viewers])
      await Promise.all(wires.map((wire) => wire.settled()));
  }
}

/** A fleet with these hosts and their tables. */
export async function openFleet(t: TestContext, tables: Record<string, ProcessRow[]> = {}): Promise<Fleet> {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const fleet = new Fleet(await openServer(t), (ms) => t.mock.timers.tick(ms));
  for (const [host, table] of Object.entries(tables)) await fleet.add(host, table);
  return fleet;
}

/** The newest of the answers that have come, all of which are taken. */
export function newest(viewer: Wire): ViewerRows {
  const answer = viewer.taken('rows').at(-1);
  if (answer === undefined || !('totals' in answer)) throw new Error('no answer has come');
  return answer;
}

/** `host:pid value` of each process row. */
export function shown(answer: ViewerRows): string[] {
  return answer.rows.map((row) =>
    'pid' in row ? `${row.host}:${row.pid} ${row.cpuPercent}` : `${row.host}/${row.group} ${row.cpuPercent}`,
  );
}
