import { EventEmitter } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { AgentToServer } from '../../protocol/message.ts';
import type { Chunk, Manifest, RunningRelease, Upgrade, Upgraded } from '../../protocol/release.ts';
import { assemble, checkRoom } from './assemble.ts';
import { filesOf, findLocal } from './files.ts';
import { type Installation, previousRelease } from './installation.ts';
import { prune } from './prune.ts';
import { Receiver } from './receive.ts';
import { runSelfTest } from './run-self-test.ts';
import { runningRelease } from './running.ts';
import { beginTrial, endTrial, readTrial, type Trial, takeBack } from './trial.ts';
import { reasonOf, UpgradeError } from './upgrade-error.ts';
import { claimedSerial, verifyUpgrade } from './verify.ts';

export interface UpgraderOptions {
  installation: Installation;
  /** What this process is. */
  running: Manifest;
  /** The servers' Ed25519 key, its 32 bytes in base64. */
  releaseKey: string;
  /** Of the process that takes back a release that fails; undefined: there is none, and nothing is upgraded. */
  launcherPid: () => number | undefined;
  /** Leaves what the agent has measured to the one that is started in its place, and stops it. @throws when it goes on instead. */
  handOver: () => Promise<void>;
}

interface UpgraderEvents {
  /** For the server that is connected, if there is one. */
  send: [AgentToServer];
  /** How far it is, for the log. */
  upgraded: [Omit<Upgraded, 'type'>];
  /** The link names another release than the one that runs: it is to be started in place of this process. */
  restart: [];
  trouble: [Error];
}

/** One release on its way. */
interface Work {
  message: Upgrade;
  serial: number;
  state: Upgraded['state'];
  cancel: AbortController;
  receiver: Receiver;
}

/**
 * Takes releases that a server pushes: verified, put together beside the one that runs, tested, started on trial. One at
 * a time; a newer one takes the place of the one that is on its way. Nothing of the running release is touched before
 * the trial, and from then on the launcher takes it back by itself unless a server confirms it.
 */
export class Upgrader extends EventEmitter<UpgraderEvents> {
  readonly #options: UpgraderOptions;
  #release: RunningRelease;
  #trial: Trial | undefined;
  #isConfirming = false;
  #work: Work | undefined;
  /** Waits for the end of the one before, or of a trial. */
  #next: Upgrade | undefined;
  /** There is nothing left to do but to start another release, or to end. */
  #isOver = false;

  constructor(options: UpgraderOptions) {
    super();
    this.#options = options;
    this.#release = runningRelease(options.running, options.installation);
    if (this.#release.isOnTrial) this.#trial = readTrial(options.installation);
  }

  /** Part of the hello. */
  get release(): RunningRelease {
    return this.#release;
  }

  /** A server pushes it, or pushes it again on another connection. */
  upgrade(message: Upgrade): void {
    const work = this.#work;
    if (work?.message.manifest === message.manifest) {
      this.#next = undefined;
      this.#tell(work.serial, work.state);
      work.receiver.resume();
      return;
    }
    if (claimedSerial(message.manifest) === this.#release.serial) {
      this.#tell(this.#release.serial, this.#trial === undefined ? 'confirmed' : 'starting');
      return;
    }
    this.#next = message;
    work?.cancel.abort(new UpgradeError('another release takes its place'));
    void this.#takeNext();
  }

  onChunk(chunk: Chunk): void {
    this.#work?.receiver.onChunk(chunk);
  }

  /** The connection is lost. */
  disconnected(): void {
    this.#work?.receiver.pause();
  }

  /** The release on trial stays. */
  async confirm(serial: number): Promise<void> {
    if (this.#isOver || this.#isConfirming || serial !== this.#release.serial) return;
    try {
      if (this.#trial !== undefined) await this.#endTrial(this.#trial);
      this.#tell(serial, 'confirmed');
    } catch (error) {
      this.#trouble(error);
    }
    void this.#takeNext();
  }

  /** The release on trial, or on its way, is given up. */
  async revert(serial: number, reason: string): Promise<void> {
    if (this.#next !== undefined && claimedSerial(this.#next.manifest) === serial) this.#next = undefined;
    if (this.#work?.serial === serial) this.#work.cancel.abort(new UpgradeError(reason));
    const trial = this.#trial;
    if (this.#isOver || trial?.serial !== serial) return;
    try {
      await takeBack(this.#options.installation, trial, reason);
      this.#isOver = true;
      // Whatever it cannot leave behind: it must not stay.
      await this.#options.handOver().catch((error) => this.#trouble(error));
      this.emit('restart');
    } catch (error) {
      this.#trouble(error);
    }
  }

  /** The agent ends. */
  close(): void {
    this.#isOver = true;
    this.#next = undefined;
    this.#work?.cancel.abort(new UpgradeError('the agent ends'));
  }

  async #endTrial(trial: Trial): Promise<void> {
    const { installation, running } = this.#options;
    this.#isConfirming = true;
    try {
      await endTrial(installation);
      const { isOnTrial: _, ...release } = this.#release;
      this.#release = release;
      await prune(installation, [running.hash, trial.previous]);
      this.#trial = undefined;
    } finally {
      this.#isConfirming = false;
    }
  }

  async #takeNext(): Promise<void> {
    while (this.#work === undefined && this.#trial === undefined && this.#next !== undefined && !this.#isOver) {
      const message = this.#next;
      this.#next = undefined;
      const serial = claimedSerial(message.manifest);
      if (serial === undefined) this.#trouble(new UpgradeError('a release is pushed whose manifest says no act'));
      else await this.#take(message, serial);
    }
  }

  async #take(message: Upgrade, serial: number): Promise<void> {
    const { installation } = this.#options;
    const cancel = new AbortController();
    const receiver = new Receiver(installation.incoming, (sha256, offset) =>
      this.emit('send', { type: 'want', sha256, offset }),
    );
    const work: Work = { message, serial, state: 'receiving', cancel, receiver };
    this.#work = work;
    try {
      await this.#carryOut(work);
    } catch (error) {
      // An agent that ends has nothing against the release: it is offered again.
      if (!this.#isOver) this.#tell(serial, 'failed', reasonOf(error));
    } finally {
      this.#work = undefined;
    }
  }

  async #carryOut(work: Work): Promise<void> {
    const { installation, running, releaseKey } = this.#options;
    const { message, serial } = work;
    const { signal } = work.cancel;
    this.#checkLauncher();
    const manifest = verifyUpgrade(message, { releaseKey, running, architecture: process.arch });
    if (manifest.hash === running.hash) {
      this.#tell(serial, 'confirmed');
      return;
    }
    this.#enter(work, 'receiving');
    const sources = await this.#collect(manifest, work.receiver, signal);
    signal.throwIfAborted();
    const folder = await assemble(installation, manifest, message, sources);
    await prune(installation, [running.hash, manifest.hash, ...previousRelease(installation, running)]);
    this.#enter(work, 'testing');
    await runSelfTest(installation, folder, signal);
    signal.throwIfAborted();
    this.#enter(work, 'starting');
    const seconds = Math.ceil(message.trialMs / 1000);
    await this.#begin({ hash: manifest.hash, previous: running.hash, seconds, serial });
    this.#isOver = true;
    this.emit('restart');
  }

  async #begin(trial: Trial): Promise<void> {
    const { installation, handOver } = this.#options;
    this.#checkLauncher();
    try {
      await beginTrial(installation, trial);
      // It may have died meanwhile, and then its pid is nobody's or somebody else's.
      process.kill(this.#checkLauncher(), 'SIGUSR1');
      await handOver();
    } catch (error) {
      await takeBack(installation, trial, reasonOf(error));
      throw error;
    }
  }

  /** @returns where each file of the release lies. */
  async #collect(manifest: Manifest, receiver: Receiver, signal: AbortSignal): Promise<Map<string, string>> {
    const { installation } = this.#options;
    const wanted = filesOf(manifest);
    const sources = await findLocal(installation, wanted);
    const lacking = wanted.filter(({ sha256 }) => !sources.has(sha256));
    await mkdir(installation.incoming, { recursive: true, mode: 0o700 });
    await checkRoom(installation, lacking);
    for (const file of lacking) sources.set(file.sha256, await receiver.receive(file, signal));
    return sources;
  }

  /** @throws UpgradeError when nobody would take the release back. */
  #checkLauncher(): number {
    const pid = this.#options.launcherPid();
    if (pid === undefined)
      throw new UpgradeError(
        'its launcher is gone: where neither systemd nor cron starts one again, have this host deployed again',
      );
    return pid;
  }

  #enter(work: Work, state: Upgraded['state']): void {
    work.state = state;
    this.#tell(work.serial, state);
  }

  #tell(serial: number, state: Upgraded['state'], reason?: string): void {
    const upgraded = { serial, state, ...(reason !== undefined && { reason }) };
    this.emit('send', { type: 'upgraded', ...upgraded });
    this.emit('upgraded', upgraded);
  }

  #trouble(error: unknown): void {
    this.emit('trouble', error instanceof Error ? error : new Error(String(error)));
  }
}
