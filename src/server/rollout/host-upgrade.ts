import type { Beat } from '../../protocol/message.ts';
import type { RunningRelease, Upgraded, UpgradePhase, Want } from '../../protocol/release.ts';
import type { Rollout } from '../../store/rollout.ts';
import type { BulkLane } from '../bulk-lane.ts';
import type { HostList, ListedHost } from '../host-list.ts';
import type { AgentConnection } from '../registry.ts';
import type { ReleaseSource } from '../release/release-source.ts';
import type { Semaphore } from '../semaphore.ts';
import { releaseName } from './lineage.ts';
import { isCovered } from './phase.ts';
import { Probation } from './probation.ts';
import type { ReleaseSettings } from './release-settings.ts';
import type { RolloutList } from './rollout-list.ts';
import { type Ending, Transfer } from './transfer.ts';
import type { UpgradeNotes } from './upgrade-notes.ts';

/** What could not be had is tried again so much later. */
const RETRY_MS = 30_000;
/** Of an agent that asks for, or speaks of, what nobody has offered it on this connection. */
const MAX_STRAY = 20;
const UNDER_WAY = new Set<UpgradePhase>(['receiving', 'testing', 'trial']);

export interface HostUpgradeOptions {
  serverName: string;
  hosts: HostList;
  rollouts: RolloutList;
  source: ReleaseSource;
  /** Of agents that receive at the same time. */
  places: Semaphore;
  /** In which chunks are sent. */
  lane: BulkLane;
  notes: UpgradeNotes;
  settings: () => ReleaseSettings;
  /** As agents are told. */
  sampleMs: () => number;
}

/** What one connected agent runs, and what is done, as long as this connection stands, to have it run what it is to. */
export class HostUpgrade {
  readonly #options: HostUpgradeOptions;
  readonly #connection: AgentConnection;
  readonly #release: RunningRelease;
  #isOnTrial: boolean;
  #transfer: Transfer | undefined;
  #probation: Probation | undefined;
  /** Nothing is offered before, monotonic. */
  #notBefore = 0;
  #strays = 0;

  constructor(connection: AgentConnection, release: RunningRelease, options: HostUpgradeOptions) {
    this.#options = options;
    this.#connection = connection;
    this.#release = release;
    this.#isOnTrial = release.isOnTrial === true;
  }

  /** Looks at what the host is to run. To be called whenever that, or what became of it, may be another. */
  review(): void {
    const goal = this.#goal();
    if (goal === undefined) return;
    const { listed, rollout } = goal;
    const isOther = this.#transfer?.serial !== rollout.serial;
    if (this.#transfer !== undefined && (isOther || rollout.state === 'halted')) {
      this.#transfer.cancel(this.#whyNot(rollout, isOther));
      this.#transfer = undefined;
    }
    if (this.#isOnTrial) this.#reviewTrial(listed, rollout);
    else if (this.#release.hash === rollout.hash) this.#note(listed, rollout, 'done');
    else if (this.#transfer === undefined) this.#reviewOffer(listed, rollout);
  }

  onUpgrade(message: Want | Upgraded): void {
    if (message.type === 'want') {
      if (this.#transfer !== undefined) this.#transfer.want(message);
      else this.#onStray(message);
    } else if (this.#isOnTrial && message.serial === this.#release.serial) this.#onTrialTold(message);
    else if (message.serial === this.#transfer?.serial) this.#transfer.upgraded(message);
    else this.#onStray(message);
  }

  beat(beat: Beat): void {
    this.#probation?.beat(beat);
  }

  stored(endMs: number): void {
    this.#probation?.acknowledged(endMs);
  }

  /** @param wasStopped this server itself heard nobody meanwhile. */
  check(wasStopped: boolean): void {
    if (wasStopped) this.#probation?.excuse();
    else this.#probation?.check();
    if (this.#notBefore > 0 && performance.now() >= this.#notBefore) {
      this.#notBefore = 0;
      this.review();
    }
  }

  /** The connection is gone. */
  close(): void {
    this.#transfer?.close();
    this.#transfer = undefined;
    this.#probation = undefined;
  }

  #reviewTrial(listed: ListedHost, rollout: Rollout): void {
    const { settings, sampleMs } = this.#options;
    this.#probation ??= new Probation({
      connection: this.#connection,
      serial: this.#release.serial,
      ...{ settings, sampleMs },
      onFailed: (reason) => this.#fail(reason),
    });
    const isOther = this.#release.hash !== rollout.hash;
    if (isOther || rollout.state === 'halted') this.#probation.revert(this.#whyNot(rollout, isOther));
    else if (!this.#probation.isDecided) this.#note(listed, rollout, 'trial');
  }

  #onTrialTold({ state, reason = 'it gives no reason' }: Upgraded): void {
    if (state === 'failed') this.#fail(reason);
    else if (state === 'confirmed') {
      this.#isOnTrial = false;
      this.#probation = undefined;
      this.review();
    }
  }

  #reviewOffer(listed: ListedHost, rollout: Rollout): void {
    const { rollouts, source, serverName } = this.#options;
    const { serial, state, hash } = rollout;
    const phase = this.#phase(listed, serial);
    const { failed } = this.#release;
    if (phase === 'failed') return;
    // Whoever goes back because of another host has not failed.
    const hasFailed = state !== 'halted' && (failed?.serial === serial || phase === 'trial');
    if (hasFailed) {
      const told = failed?.serial === serial ? failed.reason : undefined;
      this.#note(listed, rollout, 'failed', told ?? 'it came back with the release before, and gives no reason');
      return;
    }
    if (state !== 'done' && (state !== 'running' || rollouts.newest !== rollout)) {
      if (phase !== undefined && UNDER_WAY.has(phase)) this.#note(listed, rollout, 'waiting');
      return;
    }
    if (performance.now() < this.#notBefore) return;
    if (source.has(hash)) this.#offer(listed, rollout);
    else {
      const name = releaseName(rollouts.all(), rollout);
      this.#note(listed, rollout, 'waiting', `its server ${serverName} does not have release ${name}`);
    }
  }

  #offer(listed: ListedHost, rollout: Rollout): void {
    const { source, places, lane, settings } = this.#options;
    const { hash, serial, version } = rollout;
    const { architecture, hasOwnNode = false } = this.#release;
    this.#transfer = new Transfer({
      ...{ connection: this.#connection, source, places, lane, trialMs: settings().trialMs },
      wanted: { hash, serial, version, architecture, hasOwnNode },
      onPhase: (phase) => this.#note(listed, rollout, phase),
      onEnd: (ending) => this.#onEnd(listed, rollout, ending),
    });
  }

  #onEnd(listed: ListedHost, rollout: Rollout, { why, reason }: Ending): void {
    this.#transfer = undefined;
    if (why === 'failed') this.#note(listed, rollout, 'failed', reason);
    else {
      this.#notBefore = performance.now() + RETRY_MS;
      this.#note(listed, rollout, 'waiting', `its server ${this.#options.serverName} cannot give it: ${reason}`);
    }
  }

  /** Of the release that is on trial, if it is still the one that the host is to run. */
  #fail(reason: string): void {
    const goal = this.#goal();
    if (goal?.rollout.hash === this.#release.hash) this.#note(goal.listed, goal.rollout, 'failed', reason);
  }

  /** @returns undefined while nothing is known of what the host is to run. */
  #goal(): { listed: ListedHost; rollout: Rollout } | undefined {
    const { hosts, rollouts } = this.#options;
    const listed = hosts.get(this.#connection.hello.host);
    const rollout = listed?.wanted === undefined ? undefined : rollouts.get(listed.wanted);
    return listed === undefined || rollout === undefined || !isCovered(listed) ? undefined : { listed, rollout };
  }

  #whyNot(rollout: Rollout, isOther: boolean): string {
    const name = releaseName(this.#options.rollouts.all(), rollout);
    return isOther ? `release ${name} is to run there instead` : `release ${name} is halted`;
  }

  /** What was just given up may still be asked for. */
  #onStray(message: Want | Upgraded): void {
    this.#strays += 1;
    if (this.#strays > MAX_STRAY) this.#connection.misbehave(`${message.type} of what was not offered`);
    else if (message.type === 'want') {
      const { sha256, offset } = message;
      this.#connection.send({ type: 'chunk', sha256, offset });
    }
  }

  #note({ rshost }: ListedHost, { serial }: Rollout, phase: UpgradePhase, reason?: string): void {
    this.#options.notes.note(rshost, { serial, phase, reason: reason?.slice(0, 500) });
  }

  /** How far the host is, by what this server knows and the store may not yet. */
  #phase({ rshost, upgrade }: ListedHost, serial: number): UpgradePhase | undefined {
    const last = this.#options.notes.last(rshost);
    return last?.serial === serial ? last.phase : upgrade;
  }
}
