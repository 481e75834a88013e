import { Problem } from '../problem.ts';
import { ISTATE } from '../store/fleet.ts';
import type { Deployer } from './deploy/deployer.ts';
import type { HostList, ListedHost } from './host-list.ts';
import type { Semaphore } from './semaphore.ts';

export interface RotationOptions {
  hosts: HostList;
  deployer: Deployer;
  /** Of hosts that are worked on at the same time. */
  places: Semaphore;
  agentToken: (host: string, generation: number) => string;
  /** The machine that this server runs on: its agent reads its token where this puts it. */
  own: { host: string; replaceToken: (token: string) => void };
}

/** Gives agents new tokens and makes the old ones void, whether the operator who asked for it is still there or not. */
export class Rotation {
  readonly #options: RotationOptions;
  readonly #stopping = new AbortController();
  readonly #underWay = new Set<string>();

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  /** What is not replaced yet keeps its token. */
  stop(): void {
    this.#stopping.abort();
  }

  /** @returns the new token, where nobody but a person can bring it to the agent. @throws Problem when it cannot be replaced. */
  async rotate({ host }: ListedHost): Promise<string | undefined> {
    if (this.#underWay.has(host))
      throw new Problem('ERR_ROTATE', 'its token is being replaced already: wait until that is done');
    this.#underWay.add(host);
    try {
      return await this.#rotate(host);
    } finally {
      this.#underWay.delete(host);
    }
  }

  async #rotate(host: string): Promise<string | undefined> {
    const { hosts, places, deployer, agentToken, own } = this.#options;
    const leave = await places.acquire(this.#stopping.signal);
    try {
      const listed = hosts.get(host);
      if (listed?.istate !== ISTATE.running || listed.fault !== undefined)
        throw new Problem('ERR_ROTATE', 'it is not running: bring it online first, with procmesh hosts add');
      const generation = (listed.tokenGeneration ?? 0) + 1;
      const token = agentToken(host, generation);
      const isOwn = listed.isDeployed !== true && host === own.host;
      if (listed.isDeployed) await this.#replace(deployer, listed, token);
      else if (isOwn) own.replaceToken(token);
      hosts.rotated(host, generation);
      return listed.isDeployed || isOwn ? undefined : token;
    } finally {
      leave();
    }
  }

  /** Nothing is put on a host any more that is taken offline meanwhile. */
  async #replace(deployer: Deployer, { host, rshost }: ListedHost, token: string): Promise<void> {
    const { hosts } = this.#options;
    const gone = new AbortController();
    const onChange = (): void => {
      if (hosts.get(host)?.istate !== ISTATE.running)
        gone.abort(new Problem('ERR_ROTATE', 'it is not running any more'));
    };
    hosts.on('change', onChange);
    try {
      await deployer.replaceToken(rshost, token, AbortSignal.any([this.#stopping.signal, gone.signal]));
    } finally {
      hosts.off('change', onChange);
    }
  }
}
