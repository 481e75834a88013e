import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, type TestContext } from 'node:test';
import type { AgentProvision } from '../../../src/server/deploy/deployer.ts';
import { SshDeployer, type SshDeployerOptions } from '../../../src/server/deploy/ssh-deployer.ts';
import { ensureReleaseKey } from '../../../src/server/release/release-key.ts';
import { type Goods, Releases } from '../../../src/server/release/releases.ts';
import { FakeServer } from '../../agent/fake-server.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { TestNetwork } from '../../support/test-hosts.ts';

export const FOLDER = '/opt/procmesh';
export const NEVER = new AbortController().signal;
export const TOKEN = 'token-of-a-test';

/** A network of test hosts, a server that agents can reach, and deployers whose user has no settings of ssh. */
export class Bench {
  readonly t: TestContext;
  readonly network: TestNetwork;
  readonly server: FakeServer;
  readonly homeDir: string;
  readonly dataDir: string;
  /** What was said of keys that were seen first. */
  readonly pinned: string[] = [];
  /** What the deployer said that it was doing. */
  readonly phases: string[] = [];
  #releases: Promise<Releases> | undefined;

  constructor(t: TestContext, network: TestNetwork, server: FakeServer) {
    this.t = t;
    this.network = network;
    this.server = server;
    this.homeDir = scratchFolder(t);
    this.dataDir = scratchFolder(t);
  }

  deployer(options: Partial<SshDeployerOptions> = {}): SshDeployer {
    return new SshDeployer(
      {
        folder: FOLDER,
        node: '',
        path: '',
        login: { user: '', port: '', keyFile: this.network.keyFile, password: '' },
        local: { name: 'root', homeDir: this.homeDir, agentSocket: undefined },
        dataDir: this.dataDir,
        goods: (architecture, hasOwnNode) => this.goods(architecture, hasOwnNode),
        ...options,
      },
      (host) => this.pinned.push(host),
    );
  }

  /** File of a key that no host lets in. */
  otherKey(): string {
    const file = join(scratchFolder(this.t), 'other');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
    return file;
  }

  /** What hosts are given. */
  async goods(architecture: string, hasOwnNode: boolean): Promise<Goods | undefined> {
    const releases = await this.releases();
    return releases.goods({ ...releases.own, serial: 0, architecture, hasOwnNode });
  }

  /** The code of this checkout. */
  releases(): Promise<Releases> {
    const { dataDir } = this;
    this.#releases ??= Releases.open({ dataDir, version: '1.0.0', key: ensureReleaseKey(dataDir) });
    return this.#releases;
  }

  provision(host: string): AgentProvision {
    return { host, token: TOKEN, servers: [this.server.url], pin: undefined, releaseKey: 'key', alerts: undefined };
  }

  readonly onPhase = (phase: string): void => void this.phases.push(phase);
}

export async function openBench(t: TestContext): Promise<Bench> {
  const network = await TestNetwork.open(t);
  return new Bench(t, network, await FakeServer.start(t, network.address));
}

/** One for all tests of a file; hosts have addresses of their own, so that nothing else is shared. */
export function sharedBench(): () => Bench {
  let bench: Bench | undefined;
  const cleanups: (() => unknown)[] = [];
  before(async () => {
    bench = await openBench({ after: (cleanup: () => unknown) => cleanups.push(cleanup) } as unknown as TestContext);
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });
  return () => {
    if (bench === undefined) throw new Error('it is opened before the first test');
    return bench;
  };
}
