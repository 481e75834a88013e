import { join } from 'node:path';
import { Problem } from '../../problem.ts';
import { CompressedRuntimes } from '../release/compressed-runtimes.ts';
import { type Goods, installCommand } from '../release/releases.ts';
import { LAYOUT, writeAgentSettings } from './agent-settings.ts';
import { SshConnection } from './connection.ts';
import { checkSpace, lackOf } from './copy.ts';
import type { AgentProvision, Deployer } from './deployer.ts';
import { type Destination, destinationOf, type LocalUser, type LoginDefaults } from './destination.ts';
import { checkHost, install } from './install.ts';
import { fingerprintOf, KnownHosts } from './known-hosts.ts';
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
  /** What a host is given, undefined for a kind of machine that it is not here for. @throws Problem */
  goods: (architecture: string, hasOwnNode: boolean) => Promise<Goods | undefined>;
  login: LoginDefaults;
  local: LocalUser;
  /** Holds the keys of hosts that were seen first, and packages for machines of other kinds. */
  dataDir: string;
}

/** What `examine` finds. */
export interface Examined {
  state: HostState;
  /** Hosts on the way, the last one included, whose keys are not known yet, and what they show: SHA-256 as ssh writes it. */
  firstKeys: { name: string; fingerprint: string }[];
}

const REPLACE_TIMEOUT_MS = 15_000;

/** A host's key was seen for the first time and is taken for its own from now on. */
export type OnPinned = (host: string, file: string) => void;

/** Works on hosts that have nothing but sshd. */
export class SshDeployer implements Deployer {
  readonly #options: SshDeployerOptions;
  readonly #onPinned: OnPinned;
  readonly #knownHosts: KnownHosts;
  readonly #compressed: CompressedRuntimes;

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
    this.#knownHosts = KnownHosts.of(options.local.homeDir, options.dataDir);
    this.#compressed = new CompressedRuntimes(join(options.dataDir, 'release', 'runtime'));
  }

  install(
    rshost: string,
    provision: AgentProvision,
    onPhase: (phase: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#connected(rshost, onPhase, signal, async (connection) => {
      const { folder, node, path } = this.#options;
      const { state, goods } = await this.#look(connection);
      const { token, ...settings } = provision;
      const target: Target = {
        ...goods,
        folder,
        node: goods.runtime === undefined ? node : `../../${runtimePath(goods.runtime)}`,
        settings: `${writeAgentSettings({ ...settings, servers: [...settings.servers], path: path || undefined })}\n`,
        token: `${token}\n`,
      };
      await install(connection, state, target, (runtime) => this.#compressed.of(runtime), onPhase);
    });
  }

  replaceToken(rshost: string, token: string, signal: AbortSignal): Promise<void> {
    return this.#connected(
      rshost,
      () => undefined,
      signal,
      async (connection) => {
        const { folder } = this.#options;
        await runScript(connection, REPLACE_TOKEN, [folder, ...putLines(`${token}\n`)], REPLACE_TIMEOUT_MS);
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

  /**
   * Reaches a host and looks at it as `install` does, and changes nothing, here or there. @throws Problem with the reason
   * for which `install` would fail before it begins.
   */
  async examine(rshost: string, onPhase: (phase: string) => void, signal: AbortSignal): Promise<Examined> {
    const firstKeys: Examined['firstKeys'] = [];
    const onFirstKey = ({ name }: Destination, key: Buffer): void => {
      firstKeys.push({ name, fingerprint: fingerprintOf(key) });
    };
    const look = async (connection: SshConnection): Promise<HostState> => {
      onPhase('looking at it');
      const { state, goods } = await this.#look(connection);
      const lack = lackOf(state, goods);
      if (lack.runtime !== undefined || lack.release !== undefined) {
        checkSpace(state, lack);
        (await connection.sftp()).end();
      }
      return state;
    };
    const state = await this.#connected(rshost, onPhase, signal, look, onFirstKey);
    return { state, firstKeys };
  }

  async #connected<Value>(
    rshost: string,
    onPhase: (phase: string) => void,
    signal: AbortSignal,
    work: (connection: SshConnection) => Promise<Value>,
    onFirstKey = this.#pin,
  ): Promise<Value> {
    const destination = destinationOf(rshost, this.#options.login, this.#options.local);
    if (destination === undefined)
      throw new Problem(
        'ERR_DEPLOY_ADDRESS',
        `${JSON.stringify(rshost)} is no host: write it as HOST or user@HOST:port`,
      );
    onPhase('connecting');
    const connection = await SshConnection.open(destination, { knownHosts: this.#knownHosts, onFirstKey, signal });
    try {
      return await work(connection);
    } finally {
      connection.close();
    }
  }

  readonly #pin = ({ name, keyName, port }: Destination, key: Buffer): void => {
    this.#knownHosts.pin(keyName, port, key);
    this.#onPinned(name, this.#knownHosts.pinFile);
  };

  /** Most hosts are of the kind that this machine is of; another one is looked at twice. */
  async #look(connection: SshConnection): Promise<{ state: HostState; goods: Goods }> {
    const { folder, node, dataDir } = this.#options;
    let architecture: string = process.arch;
    for (;;) {
      const goods = await this.#options.goods(architecture, node !== '');
      const { release, runtime } = goods ?? {};
      const files = release?.files.map(({ path, bytes }) => ({ path: `${releasePath(release)}/${path}`, bytes })) ?? [];
      if (runtime !== undefined) files.push({ path: runtimePath(runtime), bytes: runtime.bytes });
      const question = { folder, node, runtime: runtime === undefined ? '' : runtimePath(runtime), files };
      const state = await probe(connection, question);
      checkHost(state, folder, node);
      const found = state.architecture ?? state.machine;
      if (found === architecture) {
        if (goods === undefined) throw noRuntime(architecture, installCommand(dataDir, architecture));
        return { state, goods };
      }
      architecture = found;
    }
  }
}

function noRuntime(architecture: string, command: string): Problem {
  return new Problem(
    'ERR_DEPLOY_ARCHITECTURE',
    `it is a machine of kind ${architecture}, whose runtime is not here: ${command}`,
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
