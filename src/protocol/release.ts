import * as z from 'zod/mini';

/** Bytes of one chunk: small enough that what is live never waits long behind one. */
export const MAX_CHUNK_BYTES = 32 * 1024;
const MAX_FILES = 100;
/** Of the text of a manifest. */
const MAX_MANIFEST_LENGTH = 20_000;

const name = z.string().check(z.minLength(1), z.maxLength(255));
/** SHA-256, 64 digits. */
export const sha256Schema = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** As people are shown it. */
export function shortHash(sha256: string): string {
  return sha256.slice(0, 12);
}

const bytes = z.int().check(z.minimum(0), z.maximum(1024 ** 3));
const reason = z.string().check(z.maxLength(500));
/** Within the folder of a release: no way leads out of it. */
const filePath = z
  .string()
  .check(z.maxLength(200), z.regex(/^(?!.*(^|\/)\.{1,2}(\/|$))[A-Za-z0-9_@.+-]+(\/[A-Za-z0-9_@.+-]+)*$/));

export const releaseFileSchema = z.object({ path: filePath, bytes, sha256: sha256Schema });

/** What an agent is made of, for one kind of machine. Its text, byte for byte, is what the servers' release key signs. */
export const manifestSchema = z.object({
  /** `[global] version`. */
  version: name,
  /** Of the act by which it was released: an agent takes none that is lower than its own. 0: deployed before any. */
  serial: z.int().check(z.minimum(0)),
  /** Of the agent's code and the version of its runtime: what the release is known by, on every kind of machine. */
  hash: sha256Schema,
  /** As Node.js names it. */
  architecture: name,
  files: z.array(releaseFileSchema).check(z.minLength(1), z.maxLength(MAX_FILES)),
  /** The Node.js it runs on; absent: the host's own. */
  runtime: z.optional(z.object({ version: name, bytes, sha256: sha256Schema })),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** Part of an agent's hello: what it runs. Absent of agents that were started by hand. */
export const runningReleaseSchema = z.object({
  hash: sha256Schema,
  serial: z.int().check(z.minimum(0)),
  architecture: name,
  /** It runs on a Node.js of its host's own. */
  hasOwnNode: z.optional(z.boolean()),
  /** It goes back to the release before unless it is confirmed. */
  isOnTrial: z.optional(z.boolean()),
  /** The last release that it went back from. */
  failed: z.optional(z.object({ serial: z.int().check(z.minimum(1)), reason })),
});
export type RunningRelease = z.infer<typeof runningReleaseSchema>;

/** Server → agent: take this release. The agent asks for what it lacks with `want`. */
export const upgradeSchema = z.object({
  type: z.literal('upgrade'),
  manifest: z.string().check(z.maxLength(MAX_MANIFEST_LENGTH)),
  /** Ed25519 over the UTF-8 of `manifest`, base64. */
  signature: z.string().check(z.maxLength(100)),
  /** From its start to its confirmation; after it the agent goes back. */
  trialMs: z.int().check(z.minimum(1_000), z.maximum(3_600_000)),
});
/** Server → agent: what a `want` asked for, at most `MAX_CHUNK_BYTES`; without `data` it is not to be had here. */
export const chunkSchema = z.object({
  type: z.literal('chunk'),
  sha256: sha256Schema,
  offset: bytes,
  /** base64. */
  data: z.optional(z.string().check(z.maxLength(Math.ceil(MAX_CHUNK_BYTES / 3) * 4))),
});
/** Server → agent: the release that is on trial stays. */
export const confirmSchema = z.object({ type: z.literal('confirm'), serial: z.int().check(z.minimum(1)) });
/** Server → agent: the release that is on trial, or on its way, is given up. */
export const revertSchema = z.object({ type: z.literal('revert'), serial: z.int().check(z.minimum(1)), reason });

/** Agent → server: the next chunk, one at a time, of the file with this hash, which is one of the manifest's. */
export const wantSchema = z.object({ type: z.literal('want'), sha256: sha256Schema, offset: bytes });

export const UPGRADE_STATES = ['receiving', 'testing', 'starting', 'confirmed', 'failed'] as const;
/** Agent → server: how far it is with a release. */
export const upgradedSchema = z.object({
  type: z.literal('upgraded'),
  serial: z.int().check(z.minimum(1)),
  state: z.enum(UPGRADE_STATES),
  reason: z.optional(reason),
});

export type Upgrade = z.infer<typeof upgradeSchema>;
export type Chunk = z.infer<typeof chunkSchema>;
export type Want = z.infer<typeof wantSchema>;
export type Upgraded = z.infer<typeof upgradedSchema>;

/** Of a rollout: `halted` means that a host failed, and all have gone back. */
export const ROLLOUT_STATES = ['running', 'paused', 'halted', 'done'] as const;
export type RolloutState = (typeof ROLLOUT_STATES)[number];
/** Of one host on its way to the release that it is to run. `away`: it is offline, and gets it when it is back. */
export const UPGRADE_PHASES = ['waiting', 'receiving', 'testing', 'trial', 'done', 'failed', 'away'] as const;
export type UpgradePhase = (typeof UPGRADE_PHASES)[number];

/** How a rollout stands, as viewers are told. */
export const rolloutSchema = z.object({
  version: name,
  hash: sha256Schema,
  serial: z.int().check(z.minimum(1)),
  /** When it was released, ISO. */
  releasedAt: z.string(),
  /** The release before it. */
  previous: z.optional(z.object({ version: name, hash: sha256Schema })),
  state: z.enum(ROLLOUT_STATES),
  /** Why it is halted, or was released. */
  reason: z.optional(reason),
  /** Waves that were begun, and what all of them are: `1`, `10 %`, `all`. */
  wave: z.int().check(z.minimum(0)),
  waves: z.array(name),
  /** Hosts by their phase. */
  counts: z.record(z.enum(UPGRADE_PHASES), z.int().check(z.minimum(0))),
  /** Those that need somebody's eye first: failed, on their way, waiting, away, done. At most the query's limit. */
  hosts: z.array(
    z.object({
      host: name,
      phase: z.enum(UPGRADE_PHASES),
      version: z.optional(name),
      hash: z.optional(sha256Schema),
      reason: z.optional(reason),
    }),
  ),
});
export type RolloutStatus = z.infer<typeof rolloutSchema>;
