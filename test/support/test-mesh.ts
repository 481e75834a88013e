import type { TestContext } from 'node:test';
import { OperatorClient } from '../../src/client/operator.ts';
import { AGENT_PATH, OPERATE_PATH } from '../../src/protocol/message.ts';
import type { Act, Outcome, ServerToOperator } from '../../src/protocol/operator.ts';
import type { RunningRelease } from '../../src/protocol/release.ts';
import { HostList } from '../../src/server/host-list.ts';
import { Mesh } from '../../src/server/mesh.ts';
import { Releasing } from '../../src/server/rollout/releasing.ts';
import { RolloutList } from '../../src/server/rollout/rollout-list.ts';
import { Server } from '../../src/server/server.ts';
import type { FleetHost } from '../../src/store/fleet.ts';
import { FakeAgent } from './fake-agent.ts';
import { FakeDeployer } from './fake-deployer.ts';
import { FakeFleet } from './fake-fleet.ts';
import { FakeReleases } from './fake-releases.ts';
import { FakeRollouts } from './fake-rollouts.ts';
import { FakeStore } from './fake-store.ts';
import { RELEASE_SETTINGS } from './release-settings.ts';
import { SECRETS, SETTINGS, tokenOf } from './test-server.ts';
import { Wire } from './wire.ts';

/** What servers of one mesh share in a test. */
export class SharedFleet {
  readonly fleet = new FakeFleet();
  readonly rollouts = new FakeRollouts(this.fleet);
  readonly deployer = new FakeDeployer();
}

/** A server in this process with its part in a mesh, all of it real but for the store and the hosts. */
export class TestMesh {
  readonly fleet: FakeFleet;
  readonly deployer: FakeDeployer;
  readonly hosts: HostList;
  readonly releases: FakeReleases;
  readonly rollouts: RolloutList;
  readonly server: Server;
  readonly mesh: Mesh;
  readonly troubles: string[] = [];
  releaseSettings = RELEASE_SETTINGS;
  /** What was said about this server's own release. */
  readonly news: string[] = [];
  /** Tokens that were brought to this machine's own agent. */
  readonly ownTokens: string[] = [];
  readonly #wires: Wire[] = [];
  readonly #clients: OperatorClient[] = [];
  port = 0;

  constructor(
    { fleet, rollouts, deployer }: SharedFleet,
    name: string,
    hasAgent: boolean,
    releases: FakeReleases,
    opening?: Promise<void>,
  ) {
    this.fleet = fleet;
    this.deployer = deployer;
    this.hosts = new HostList(fleet);
    const onTrouble = ({ message }: Error): void => void this.troubles.push(message);
    this.server = new Server({
      ...{ name, version: '1.0.0', listen: { host: '127.0.0.1', port: 0 }, settings: SETTINGS },
      ...{ certificate: undefined, secrets: SECRETS, hostList: this.hosts, store: new FakeStore() },
    });
    this.releases = releases;
    this.rollouts = new RolloutList(rollouts);
    const releasing = new Releasing({
      ...{ serverName: name, fleet, store: rollouts, hosts: this.hosts, rollouts: this.rollouts },
      ...{
        registry: this.server.registry,
        openSource: async () => {
          await opening;
          return releases;
        },
        settings: () => this.releaseSettings,
      },
      ...{ sampleMs: () => SETTINGS.sampleMs, onNews: (text) => this.news.push(text), onTrouble },
    });
    this.mesh = new Mesh({
      releasing,
      ...{ name, url: `ws://${name}:9300`, fleet, hosts: this.hosts, server: this.server, deployer, onTrouble },
      provisioner: {
        provision: async (host, generation) => ({
          ...{ host, token: tokenOf(host, generation), servers: [this.url] },
          ...{ pin: undefined, releaseKey: 'key', alerts: undefined },
        }),
      },
      agentToken: tokenOf,
      own: { host: 'own', hasAgent, replaceToken: (token) => this.ownTokens.push(token) },
      ...{ parallel: 4, duties: [] },
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    await this.mesh.prepare();
    this.port = await this.server.start();
    this.mesh.start();
  }

  async stop(): Promise<void> {
    for (const { socket } of this.#wires) socket.terminate();
    for (const client of this.#clients) client.close();
    await this.server.stop();
    await this.mesh.stop();
  }

  /** An agent that has been welcomed. */
  async agent(host: string, generation = 0, release?: RunningRelease): Promise<FakeAgent> {
    const agent = new FakeAgent(host, await this.#connect(AGENT_PATH, tokenOf(host, generation)));
    agent.hello('1.0.0', release);
    await agent.wire.next('welcome');
    return agent;
  }

  operator(): OperatorClient {
    const client = new OperatorClient({ url: this.url, token: SECRETS.operator });
    this.#clients.push(client);
    client.connect();
    return client;
  }

  /** An operator's bare connection. */
  operatorWire(): Promise<Wire> {
    return this.#connect(OPERATE_PATH, SECRETS.operator);
  }

  /** From now on an agent connects from each host that one is deployed to. */
  deployAgents(): void {
    this.deployer.onWork = async (rshost, onPhase) => {
      onPhase('copying the runtime');
      const host = rshost.replace(/^.*@/, '');
      const isNew = this.hosts.generationOf(host) !== undefined && !this.server.registry.connectionOf(host);
      if (isNew) await this.agent(host, this.hosts.generationOf(host));
    };
  }

  #connect(path: string, token: string): Promise<Wire> {
    const wire = new Wire(this.url + path, { token });
    this.#wires.push(wire);
    return wire.opened();
  }
}

/** Starts a server of a mesh that ends with the test. */
export async function openMeshServer(
  t: TestContext,
  options: {
    rows?: FleetHost[];
    shared?: SharedFleet;
    name?: string;
    hasAgent?: boolean;
    releases?: FakeReleases;
    /** The release is not ready before. */
    opening?: Promise<void>;
  } = {},
): Promise<TestMesh> {
  const shared = options.shared ?? new SharedFleet();
  shared.fleet.rows.push(...(options.rows ?? []));
  const opened = new TestMesh(
    shared,
    options.name ?? 'srv-1',
    options.hasAgent ?? false,
    options.releases ?? new FakeReleases(),
    options.opening,
  );
  t.after(() => opened.stop());
  await opened.start();
  return opened;
}

export interface Changed {
  /** By host. */
  outcomes: Map<string, Omit<Outcome, 'host'>>;
  /** `web-1: connecting`, in the order they were told. */
  phases: string[];
}

/** Has a change made. Rejects with the server's error, its code before the message. */
export async function change(client: OperatorClient, act: Act, hosts: string[]): Promise<Changed> {
  const changed: Changed = { outcomes: new Map(), phases: [] };
  const { promise, resolve, reject } = Promise.withResolvers<Changed>();
  const id = client.change({ act, hosts });
  const onAnswer = (answer: ServerToOperator): void => {
    if (answer.id !== id) return;
    if (answer.type === 'progress') changed.phases.push(`${answer.host}: ${answer.phase}`);
    else if (answer.type === 'error') reject(new Error(`${answer.code} ${answer.message}`));
    else if (answer.type === 'done') resolve(changed);
    else {
      const { type: _, id: __, host, ...outcome } = answer;
      changed.outcomes.set(host, outcome);
    }
  };
  client.on('answer', onAnswer);
  return promise.finally(() => client.off('answer', onAnswer));
}
