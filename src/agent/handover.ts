import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import * as z from 'zod/mini';
import { readBootId } from '../procfs/boot-id.ts';
import type { RecorderState } from './history/recorder.ts';
import type { Baseline } from './sampler.ts';

/** To be raised whenever anything below `Handover` changes: a test holds its shape against the one recorded for this number. */
export const HANDOVER_FORMAT = 1;

/** What is older says too little of the time since: an agent that begins afresh knows more in its place. */
const MAX_AGE_MS = 60_000;

/** Where one agent's process stops and the next one goes on, so that nothing is lost between them or counted twice. */
export interface Handover {
  /** The one it was connected to, or dialled last, as it was given. */
  server: string;
  baseline: Baseline;
  recorder: RecorderState;
}

const time = z.number().check(z.minimum(0));
const map = z.custom<object>((value) => value instanceof Map);

/** What holds it together; whatever else is amiss is found by the first sample that is measured against it. */
const envelopeSchema = z.looseObject({
  format: z.literal(HANDOVER_FORMAT),
  bootId: z.string(),
  /** Of the clock that all processes share. */
  writtenAtMs: time,
  /** Where on that clock the writer's own began. */
  originMs: time,
  handover: z.object({
    server: z.string(),
    baseline: z.looseObject({
      previous: z.looseObject({ monotonicMs: z.number(), host: z.looseObject({}), processes: map }),
      carry: z.looseObject({}),
    }),
    recorder: z.object({
      seam: z.object({ endMs: time, sampledAtMs: time }),
      ends: z.object({ boundaryMs: time, setBacks: time, endMs: time }),
    }),
  }),
});

/** The same servers, to be tried in the same order from the one on that the agent before was connected to. */
export function serversFrom(handover: Handover | Error | undefined, servers: readonly string[]): readonly string[] {
  const at = handover === undefined || handover instanceof Error ? 0 : Math.max(0, servers.indexOf(handover.server));
  return [...servers.slice(at), ...servers.slice(0, at)];
}

/** A handover on the disk, for one reader. It is of use only on the same boot, and for a minute. */
export class HandoverFile {
  readonly #path: string;
  readonly #procRoot: string;

  constructor(path: string, procRoot: string) {
    this.#path = path;
    this.#procRoot = procRoot;
  }

  /** @throws what the file system throws. */
  write(handover: Handover): void {
    const bootId = readBootId(this.#procRoot);
    const { nowMs, originMs } = sharedClock();
    const partial = `${this.#path}.partial`;
    writeFileSync(partial, serialize({ format: HANDOVER_FORMAT, bootId, writtenAtMs: nowMs, originMs, handover }), {
      mode: 0o600,
    });
    renameSync(partial, this.#path);
  }

  /**
   * Reads it and deletes it, whether or not it is of use, so that nobody stumbles over it twice.
   * @returns undefined when there is none; an Error, in plain words, when it is of no use. Monotonic times are those of
   *   this process.
   */
  take(): Handover | Error | undefined {
    try {
      const bytes = this.#takeBytes();
      return bytes && this.#open(bytes);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return new Error(`begins afresh, as what the agent before handed over cannot be used: ${reason}`, { cause });
    }
  }

  #open(bytes: Buffer): Handover {
    const envelope = parse(bytes);
    if (envelope.bootId !== readBootId(this.#procRoot))
      throw new Error('it is from before the machine was started anew');
    const { nowMs, originMs } = sharedClock();
    const ageMs = nowMs - envelope.writtenAtMs;
    if (ageMs < 0 || ageMs > MAX_AGE_MS) throw new Error(`it is ${Math.round(ageMs / 1000)} s old`);
    return shifted(envelope.handover as unknown as Handover, envelope.originMs - originMs);
  }

  #takeBytes(): Buffer | undefined {
    try {
      const bytes = readFileSync(this.#path);
      rmSync(this.#path);
      return bytes;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }
}

function parse(bytes: Buffer) {
  let content: unknown;
  try {
    content = deserialize(bytes);
  } catch (cause) {
    throw new Error('it is damaged', { cause });
  }
  const envelope = envelopeSchema.safeParse(content);
  if (envelope.success) return envelope.data;
  const { format } = (content ?? {}) as { format?: unknown };
  const isOther = typeof format === 'number' && format !== HANDOVER_FORMAT;
  throw new Error(isOther ? `it is of format ${format}, not ${HANDOVER_FORMAT}` : 'it is damaged', {
    cause: envelope.error,
  });
}

/** CLOCK_MONOTONIC, which goes on over an exec, while `performance.now()` begins anew. */
function sharedClock(): { nowMs: number; originMs: number } {
  const nowMs = Number(process.hrtime.bigint()) / 1e6;
  return { nowMs, originMs: nowMs - performance.now() };
}

function shifted(handover: Handover, byMs: number): Handover {
  const { previous } = handover.baseline;
  const monotonicMs = previous.monotonicMs + byMs;
  const host = { ...previous.host, monotonicMs };
  return { ...handover, baseline: { ...handover.baseline, previous: { ...previous, monotonicMs, host } } };
}
