import { join } from 'node:path';
import { Problem } from '../../problem.ts';
import { type AgentRelease, makeRelease } from '../release/agent-release.ts';
import { type Runtime, Runtimes } from '../release/runtime.ts';
import { LAYOUT, writeAgentSettings } from './agent-settings.ts';
import { SshConnection } from './connection.ts';
import type { AgentProvision, Deployer } from './deployer.ts';
import { destinationOf, type LocalUser, type LoginDefaults } from './destination.ts';
import { checkHost, install } from './install.ts';
import { KnownHosts } from './known-hosts.ts';
import { type HostState, probe } from './probe.ts';
import { removeAll } from './remove.ts';
import { PRELUDE, PUT, putLines, runScript } from './script.ts';
import { isPlainPath } from './service.ts';
import { releasePath, runtimePath, type Target } from './target.ts';

export interface SshDeployerOptions {
  /** Where agents are installed on hosts. */
  folder: string;
  /** The hosts' own Node.js; empty: ours is brought. */
  node: string;
  /** `PATH` of agents; empty: as they are started with. */
  path: string;
  /** What agents call their version. */
  version: string;
  login: LoginDefaults;
  local: LocalUser;
  /** Holds the keys of hosts that were seen first, and what is made to be copied. */
  dataDir: string;
}

/** What is copied to hosts of one kind. */
interface Goods {
  release: AgentRelease;
  runtime: Runtime | undefined;
}

const REPLACE_TIMEOUT_MS = 15_000;

/** A host's key was seen for the first time and is taken for its own from now on. */
export type OnPinned = (host: string, file: string) => void;

/** Works on hosts that have nothing but sshd. */
export class SshDeployer implements Deployer {
  readonly #options: SshDeployerOptions;
  readonly #onPinned: OnPinned;
  readonly #knownHosts: KnownHosts;
  readonly #runtimes: Runtimes;
  readonly #releases = new Map<string, Promise<AgentRelease>>();

  /** @throws Problem when a path in the options is none that hosts can be given. */
  constructor(options: SshDeployerOptions, onPinned: OnPinned) {
    for (const [key, path] of Object.entries({ '[global] script_dir': options.folder, '[CLIENT] node': options.node }))
      if (path !== '' && !isPlainPath(path))
        throw new Problem(
          'ERR_CONFIG',
          `${key} = ${JSON.stringify(path)} is not allowed: it takes an absolute path of letters, digits and . _ + -`,
          { exitCode: 2 },
        );
    this.#options = options;
    this.#onPinned = onPinned;
    const files = [join(options.local.homeDir, '.ssh', 'known_hosts'), '/etc/ssh/ssh_known_hosts'];
    this.#knownHosts = new KnownHosts(files, join(options.dataDir, 'known_hosts'));
    this.#runtimes = new Runtimes(join(options.dataDir, 'release', 'runtime'), (architecture) =>
      this.#foreignFolder(architecture),
    );
  }

  install(
    rshost: string,
    provision: AgentProvision,
    onPhase: (phase: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#connected(rshost, onPhase, signal, async (connection) => {
      const { folder, node, path, version } = this.#options;
      const { state, goods } = await this.#look(connection);
      const { token, ...settings } = provision;
      const target: Target = {
        ...goods,
        folder,
        node: goods.runtime === undefined ? node : `${folder}/${runtimePath(goods.runtime)}`,
        settings: `${writeAgentSettings({ ...settings, servers: [...settings.servers], version, path: path || undefined })}\n`,
        token: `${token}\n`,
      };
      await install(connection, state, target, (runtime) => this.#runtimes.compressed(runtime), onPhase);
    });
  }

  replaceToken(rshost: string, token: string, signal: AbortSignal): Promise<void> {
    return this.#connected(
      rshost,
      () => undefined,
      signal,
      async (connection) => {
        const { folder } = this.#options;
        await runScript(connection, REPLACE_TOKEN, [folder, ...putLines(token)], REPLACE_TIMEOUT_MS);
      },
    );
  }

  remove(rshost: string, onPhase: (phase: string) => void, signal: AbortSignal): Promise<void> {
    return this.#connected(rshost, onPhase, signal, async (connection) => {
      const { folder } = this.#options;
      const state = await probe(connection, { folder, node: '', runtime: '', files: [] });
      onPhase('taking the agent away');
      await removeAll(connection, state, folder);
    });
  }

  async #connected(
    rshost: string,
    onPhase: (phase: string) => void,
    signal: AbortSignal,
    work: (connection: SshConnection) => Promise<void>,
  ): Promise<void> {
    const destination = destinationOf(rshost, this.#options.login, this.#options.local);
    if (destination === undefined)
      throw new Problem(
        'ERR_DEPLOY_ADDRESS',
        `${JSON.stringify(rshost)} is no host: write it as HOST or user@HOST:port`,
      );
    onPhase('connecting');
    const terms = { knownHosts: this.#knownHosts, onPinned: this.#onPinned, signal };
    const connection = await SshConnection.open(destination, terms);
    try {
      await work(connection);
    } finally {
      connection.close();
    }
  }

  /** Most hosts are of the kind that this machine is of; another one is looked at twice. */
  async #look(connection: SshConnection): Promise<{ state: HostState; goods: Goods }> {
    const { folder, node } = this.#options;
    let architecture: string = process.arch;
    for (;;) {
      const goods = await this.#goodsFor(architecture);
      const { release, runtime } = goods;
      const files = release.files.map(({ path, bytes }) => ({ path: `${releasePath(release)}/${path}`, bytes }));
      if (runtime !== undefined) files.push({ path: runtimePath(runtime), bytes: runtime.bytes });
      const question = { folder, node, runtime: runtime === undefined ? '' : runtimePath(runtime), files };
      const state = await probe(connection, question);
      checkHost(state, folder, node);
      const found = state.architecture ?? state.machine;
      if (found === architecture) {
        if (runtime === undefined && node === '') throw noRuntime(architecture, this.#foreignFolder(architecture));
        return { state, goods };
      }
      architecture = found;
    }
  }

  /** npm keeps packages for one kind of machine in one folder. */
  #foreignFolder(architecture: string): string {
    return join(this.#options.dataDir, 'packages', architecture);
  }

  async #goodsFor(architecture: string): Promise<Goods> {
    const runtime = this.#options.node === '' ? await this.#runtimes.find(architecture) : undefined;
    let release = this.#releases.get(architecture);
    if (release === undefined) {
      const folder = join(this.#options.dataDir, 'release', `hosts-${architecture}`);
      release = makeRelease(folder, architecture, this.#foreignFolder(architecture));
      this.#releases.set(architecture, release);
      release.catch(() => this.#releases.delete(architecture));
    }
    return { release: await release, runtime };
  }
}

function noRuntime(architecture: string, folder: string): Problem {
  const packages = `node-linux-${architecture}@${process.versions.node} @koromix/koffi-linux-${architecture}`;
  return new Problem(
    'ERR_DEPLOY_ARCHITECTURE',
    `it is a machine of kind ${architecture}, whose runtime is not here: npm install --prefix ${folder} --cpu=${architecture} ${packages}`,
  );
}

const REPLACE_TOKEN = `${PRELUDE}
set -eu
IFS= read -r folder
${PUT}
if [ ! -e "$folder/${LAYOUT.marker}" ]; then
  echo "no agent is installed in $folder" >&2
  exit 1
fi
put 600 "$folder/${LAYOUT.token}"
`;
