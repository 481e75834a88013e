import type { TestContext } from 'node:test';
import { AGENT_PATH, LIVE_PATH, OPERATE_PATH, type Settings } from '../../src/protocol/message.ts';
import type { Query } from '../../src/protocol/query.ts';
import { agentToken, type HostList, type Role, type Secrets } from '../../src/server/auth.ts';
import type { Certificate } from '../../src/server/certificate.ts';
import { Server, type ServerOptions } from '../../src/server/server.ts';
import { FakeAgent } from './fake-agent.ts';
import { FakeStore } from './fake-store.ts';
import { readMetric } from './metric.ts';
import { Wire } from './wire.ts';

export const SECRETS: Secrets = {
  agents: Buffer.from('agent'.repeat(8)),
  viewer: 'viewer'.repeat(8),
  operator: 'operator'.repeat(8),
};
const PATHS = { agent: AGENT_PATH, viewer: LIVE_PATH, operator: OPERATE_PATH };

/** A token as it would be brought to a host. */
export function tokenOf(host: string, generation = 0): string {
  return agentToken(SECRETS.agents, { host, generation });
}

/** Lists every host, with a token of the first generation, unless a test says otherwise. */
export class FakeHostList implements HostList {
  /** Undefined: not listed. */
  readonly generations = new Map<string, number | undefined>();
  isRead = true;
  readonly rotations: [host: string, generation: number][] = [];

  generationOf(host: string): number | undefined {
    return this.generations.has(host) ? this.generations.get(host) : 0;
  }

  rotated(host: string, generation: number): void {
    this.generations.set(host, generation);
    this.rotations.push([host, generation]);
  }
}

export const SETTINGS: Settings = {
  intervalMs: 30_000,
  sampleMs: 2_000,
  heartbeatMs: 3_000,
  mounts: [],
  rules: {
    cpuPercent: 200,
    memBytes: 1e10,
    ioBytesPerSec: 1e7,
    netBytesPerSec: 1e7,
    queue: 5,
    utilPercent: 50,
    top: 5,
  },
};

/** A server in this process, on a port of its own, with a fake store and whatever a test connects to it. */
export class TestServer {
  readonly server: Server;
  readonly store: FakeStore;
  readonly hostList = new FakeHostList();
  readonly troubles: Error[] = [];
  readonly #isEncrypted: boolean;
  readonly #wires: Wire[] = [];
  port = 0;

  constructor(
    store: FakeStore,
    settings: Partial<Settings>,
    port: number,
    { certificate, alerts, rollouts }: Partial<Pick<ServerOptions, 'certificate' | 'alerts' | 'rollouts'>> = {},
  ) {
    this.store = store;
    this.#isEncrypted = certificate !== undefined;
    this.server = new Server({
      name: 'srv-1',
      version: '1.0.0',
      listen: { host: '127.0.0.1', port },
      settings: { ...SETTINGS, ...settings },
      certificate,
      secrets: SECRETS,
      hostList: this.hostList,
      store,
      ...(alerts !== undefined && { alerts }),
      ...(rollouts !== undefined && { rollouts }),
    });
    this.server.on('trouble', (error) => this.troubles.push(error));
  }

  get url(): string {
    return `${this.#isEncrypted ? 'wss' : 'ws'}://127.0.0.1:${this.port}`;
  }

  /** A connection with the right token, an agent's for a host; hung up at the end of the test. */
  connect(role: Role, { host = 'web-1', ...options }: { host?: string; autoPong?: boolean } = {}): Promise<Wire> {
    const token = role === 'agent' ? tokenOf(host) : SECRETS[role];
    const wire = new Wire(this.url + PATHS[role], { token, ...options });
    this.#wires.push(wire);
    return wire.opened();
  }

  /** An agent that has been welcomed. */
  async agent(host: string): Promise<FakeAgent> {
    const agent = new FakeAgent(host, await this.connect('agent', { host }));
    agent.hello();
    await agent.wire.next('welcome');
    return agent;
  }

  /** A viewer that has asked. */
  async viewer(query: Query): Promise<Wire> {
    const viewer = await this.connect('viewer');
    viewer.send({ type: 'subscribe', id: 1, query });
    return viewer;
  }

  metric(name: string): Promise<number> {
    return readMetric(this.port, name, this.#isEncrypted ? 'https' : 'http');
  }

  async stop(): Promise<void> {
    for (const { socket } of this.#wires) socket.terminate();
    await this.#doneWithWires();
    await this.server.stop();
    await this.store.close();
  }

  /** A timer that the server clears later would meet the next test's mocked timers. Others may stay connected. */
  async #doneWithWires(): Promise<void> {
    for (let trips = 0; trips < 100; trips += 1) {
      const connected = await Promise.all([this.metric('procmesh_agents'), this.metric('procmesh_viewers')]).catch(
        () => [0],
      );
      if (connected.every((count) => count === 0)) return;
    }
  }
}

/** Starts a server that ends with the test. */
export async function openServer(
  t: TestContext,
  options: {
    store?: FakeStore;
    settings?: Partial<Settings>;
    port?: number | undefined;
    certificate?: Certificate;
    alerts?: ServerOptions['alerts'];
    rollouts?: ServerOptions['rollouts'];
  } = {},
): Promise<TestServer> {
  const { store = new FakeStore(), settings = {}, port = 0, ...more } = options;
  const opened = new TestServer(store, settings, port, more);
  t.after(() => opened.stop());
  opened.port = await opened.server.start();
  return opened;
}

export function processQuery(fields: Partial<Query> = {}): Query {
  return { view: 'processes', sort: 'cpu', limit: 10, ...fields };
}
