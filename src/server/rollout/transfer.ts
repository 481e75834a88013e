import { manifestSchema, UPGRADE_STATES, type Upgraded, type Want } from '../../protocol/release.ts';
import type { BulkLane } from '../bulk-lane.ts';
import type { AgentConnection } from '../registry.ts';
import type { SignedManifest, WantedManifest } from '../release/release-source.ts';
import type { Semaphore } from '../semaphore.ts';

/** An agent that says nothing for so long is stuck. */
const STALL_MS = 60_000;
/** While the agent has this much unread, what is live comes first. */
const MAX_UNREAD_BYTES = 64 * 1024;
const UNREAD_CHECK_MS = 50;
/** An agent that was just told to give a release up may have asked for it before; more is a fault. */
const MAX_MISSES = 20;

type Phase = 'receiving' | 'testing' | 'trial';
export type Ending =
  /** The release, or what it needs on such a machine, is not here; or it could not be read. */
  | { why: 'unavailable'; reason: string }
  /** The agent cannot have it. */
  | { why: 'failed'; reason: string };

export interface TransferOptions {
  connection: AgentConnection;
  wanted: WantedManifest;
  /** After so long without being confirmed the agent goes back. */
  trialMs: number;
  source: {
    manifest(wanted: WantedManifest): Promise<SignedManifest | undefined>;
    read(sha256: string, offset: number): Promise<Buffer | undefined>;
  };
  /** Of agents that receive at the same time. */
  places: Semaphore;
  /** In which chunks are sent. */
  lane: BulkLane;
  onPhase: (phase: Phase) => void;
  /** Called at most once, not after `cancel` or `close`. */
  onEnd: (ending: Ending) => void;
}

/** One agent takes a release over one connection: it is offered, asked for piece by piece, tested and begun with. */
export class Transfer {
  readonly #options: TransferOptions;
  readonly #ended = new AbortController();
  /** Bytes by SHA-256 of what may be asked for. */
  readonly #files = new Map<string, number>();
  #state = 0;
  #isAnswering = false;
  #misses = 0;
  #leavePlace: (() => void) | undefined;
  #stall: NodeJS.Timeout | undefined;

  constructor(options: TransferOptions) {
    this.#options = options;
    void this.#offer().catch((error) => {
      if (!this.#ended.signal.aborted) this.#end({ why: 'unavailable', reason: messageOf(error) });
    });
  }

  get serial(): number {
    return this.#options.wanted.serial;
  }

  /** The release is no longer to be taken. */
  cancel(reason: string): void {
    if (this.#files.size > 0) this.#options.connection.send({ type: 'revert', serial: this.serial, reason });
    this.close();
  }

  /** Nothing is to be said any more. */
  close(): void {
    this.#ended.abort();
    clearTimeout(this.#stall);
    this.#leavePlace?.();
  }

  want(want: Want): void {
    if (this.#ended.signal.aborted) return;
    if (this.#isAnswering) {
      this.#options.connection.misbehave('want before the answer to the last one');
      return;
    }
    clearTimeout(this.#stall);
    this.#isAnswering = true;
    this.#answer(want).catch((error) => {
      if (!this.#ended.signal.aborted) this.#giveUp({ why: 'unavailable', reason: messageOf(error) });
    });
  }

  upgraded({ state, reason = 'it gives no reason' }: Upgraded): void {
    // It may speak of an earlier offer of the same release.
    if (this.#ended.signal.aborted || this.#files.size === 0) return;
    const step = UPGRADE_STATES.indexOf(state);
    if (state === 'failed') this.#end({ why: 'failed', reason });
    else if (state === 'confirmed' || step < this.#state)
      this.#options.connection.misbehave(`upgraded ${state} after ${UPGRADE_STATES[this.#state]}`);
    else if (step > this.#state) {
      this.#state = step;
      this.#watch();
      this.#leavePlace?.();
      this.#options.onPhase(state === 'starting' ? 'trial' : 'testing');
    }
  }

  async #offer(): Promise<void> {
    const { connection, wanted, trialMs, source, places, onPhase } = this.#options;
    const { signal } = this.#ended;
    this.#leavePlace = await places.acquire(signal);
    if (signal.aborted) return this.#leavePlace();
    const signed = await source.manifest(wanted);
    if (signal.aborted) return;
    if (signed === undefined)
      return this.#end({ why: 'unavailable', reason: `there is no such release for ${wanted.architecture} here` });
    const { files, runtime } = manifestSchema.parse(JSON.parse(signed.text));
    for (const { sha256, bytes } of runtime === undefined ? files : [...files, runtime]) this.#files.set(sha256, bytes);
    connection.send({ type: 'upgrade', manifest: signed.text, signature: signed.signature, trialMs });
    this.#watch();
    onPhase('receiving');
  }

  async #answer({ sha256, offset }: Want): Promise<void> {
    const { connection, source, lane } = this.#options;
    const { signal } = this.#ended;
    const isOffered = offset < (this.#files.get(sha256) ?? 0);
    if (!isOffered) this.#misses += 1;
    if (this.#misses > MAX_MISSES) {
      connection.misbehave('want of what was not offered');
      return;
    }
    const data = isOffered ? await source.read(sha256, offset) : undefined;
    signal.throwIfAborted();
    while (connection.unreadBytes > MAX_UNREAD_BYTES) {
      await new Promise((resolve) => setTimeout(resolve, UNREAD_CHECK_MS));
      signal.throwIfAborted();
    }
    lane.add(() => {
      if (signal.aborted) return;
      this.#isAnswering = false;
      this.#watch();
      connection.send({ type: 'chunk', sha256, offset, ...(data !== undefined && { data: data.toString('base64') }) });
    });
  }

  /** From now on the agent has its time again. */
  #watch(): void {
    clearTimeout(this.#stall);
    const reason = `its agent has said nothing about the release for ${STALL_MS / 1000} s`;
    this.#stall = setTimeout(() => this.#giveUp({ why: 'failed', reason }), STALL_MS);
  }

  #giveUp(ending: Ending): void {
    this.#options.connection.send({ type: 'revert', serial: this.serial, reason: ending.reason.slice(0, 500) });
    this.#end(ending);
  }

  #end(ending: Ending): void {
    this.close();
    this.#options.onEnd(ending);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
