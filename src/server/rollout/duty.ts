import type { FleetHost } from '../../store/fleet.ts';
import type { RolloutStore } from '../../store/rollout.ts';
import type { Duty } from '../duties.ts';
import type { HostList, ListedHost } from '../host-list.ts';
import type { ReleaseSource } from '../release/release-source.ts';
import { nextStep, type Step } from './plan.ts';
import type { ReleaseSettings } from './release-settings.ts';
import type { RolloutList } from './rollout-list.ts';

const EVERY_MS = 1_000;
/** An agent that left to begin with a release is missed this long after its own trial would have ended. */
const MISSED_AFTER_MS = 20_000;
/** More steps in a row are none that come to an end. */
const MAX_STEPS = 50;
/**
 * Agents have this long to find a server again after the duty began, as it may have begun with a restart of servers: they
 * dial every 10 s at least. A host that is away for longer would hold up every rollout.
 */
const SETTLE_MS = 15_000;

export interface RolloutsOptions {
  serverName: string;
  hosts: HostList;
  rollouts: RolloutList;
  store: RolloutStore;
  source: Pick<ReleaseSource, 'has'>;
  settings: () => ReleaseSettings;
  onTrouble: (error: Error) => void;
}

/**
 * What one server does about releases, for all of them: has hosts run the newest one wave by wave, halts when one fails,
 * and has them go back. It knows nothing that is not in the store but since when it waits for whom.
 */
export class Rollouts implements Duty {
  readonly #options: RolloutsOptions;
  readonly #onChange = (): void => this.#wake();
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #pass: Promise<void> | undefined;
  #isAwaited = false;
  /** What is known was read since the duty began. */
  #isInformed = false;
  #isTroubled = false;
  /** Since when agents are gone to begin with a release, by its serial and the host, monotonic. */
  #goneAt = new Map<string, number>();

  constructor(options: RolloutsOptions) {
    this.#options = options;
  }

  start(): void {
    const { hosts, rollouts } = this.#options;
    this.#startedAt = performance.now();
    this.#isInformed = false;
    this.#goneAt.clear();
    this.#timer = setInterval(() => this.#wake(), EVERY_MS);
    hosts.on('change', this.#onChange);
    rollouts.on('change', this.#onChange);
    this.#wake();
  }

  async stop(): Promise<void> {
    const { hosts, rollouts } = this.#options;
    clearInterval(this.#timer);
    this.#timer = undefined;
    hosts.off('change', this.#onChange);
    rollouts.off('change', this.#onChange);
    await this.#pass;
  }

  /** What happens while steps are done is looked at after them. */
  #wake(): void {
    this.#isAwaited = true;
    this.#pass ??= this.#work().finally(() => {
      this.#pass = undefined;
    });
  }

  async #work(): Promise<void> {
    try {
      if (!this.#isInformed) await this.#read();
      this.#isInformed = true;
      for (let steps = 0; this.#isAwaited && this.#timer !== undefined && steps < MAX_STEPS; steps += 1) {
        this.#isAwaited = false;
        const step = this.#next();
        if (step === undefined) continue;
        this.#isAwaited = await this.#do(step);
        await this.#read();
      }
      this.#isTroubled = false;
    } catch (error) {
      if (!this.#isTroubled) this.#options.onTrouble(error instanceof Error ? error : new Error(String(error)));
      this.#isTroubled = true;
    }
  }

  async #read(): Promise<void> {
    const { hosts, rollouts } = this.#options;
    await Promise.all([hosts.refresh(), rollouts.refresh()]);
  }

  #next(): Step | undefined {
    const { serverName, hosts, rollouts, source, settings } = this.#options;
    const now = performance.now();
    const { newest } = rollouts;
    if (newest === undefined) return undefined;
    const { waves, trialMs } = settings();
    const goneAt = new Map<string, number>();
    const isOverdue = ({ host }: ListedHost): boolean => {
      const key = `${newest.serial} ${host}`;
      const since = this.#goneAt.get(key) ?? now;
      goneAt.set(key, since);
      return now - since > trialMs + MISSED_AFTER_MS;
    };
    const step = nextStep({
      rollouts: rollouts.all(),
      hosts: hosts.all(),
      isConnected: (host) => hosts.isConnected(host),
      servers: source.has(newest.hash) ? [serverName] : [],
      ...{ waves, isOverdue, isSettled: now - this.#startedAt >= SETTLE_MS },
    });
    this.#goneAt = goneAt;
    return step;
  }

  /** @returns whether it was done; if not, somebody else was faster. */
  async #do(step: Step): Promise<boolean> {
    const { store, rollouts } = this.#options;
    const { newest } = rollouts;
    if (newest === undefined) return false;
    const { serial, state, wave } = newest;
    switch (step.do) {
      case 'want':
        await store.want(step.hosts.map(rshostOf), serial);
        return true;
      case 'fail':
        await store.noteUpgrade(step.host.rshost, serial, 'failed', step.reason);
        return true;
      case 'begin':
        return store.advance(serial, { state, wave }, { state, wave: step.wave });
      case 'finish':
        return store.advance(serial, { state, wave }, { state: 'done', wave });
      case 'halt':
        return store.advance(serial, { state, wave }, { state: 'halted', wave, reason: step.reason });
      case 'return': {
        const { version, hash } = step.to;
        const act = { version, hash, state: 'running', wave: 0, reason: step.reason } as const;
        return (await store.release(act, serial)) !== undefined;
      }
    }
  }
}

function rshostOf({ rshost }: FleetHost): string {
  return rshost;
}
