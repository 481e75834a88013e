import * as z from 'zod/mini';
import { blameSchema } from './blame.ts';
import { intervalSchema } from './interval.ts';
import { querySchema } from './query.ts';
import {
  chunkSchema,
  confirmSchema,
  revertSchema,
  rolloutSchema,
  runningReleaseSchema,
  upgradedSchema,
  upgradeSchema,
  wantSchema,
} from './release.ts';
import {
  culpritsSchema,
  footprintSchema,
  groupRowSchema,
  hostRowSchema,
  hostTotalSchema,
  hostUsageSchema,
  netSourceSchema,
  networkSchema,
  processRowSchema,
} from './row.ts';
import { seriesSchema } from './series.ts';

/** WebSocket subprotocol; both ends insist on it. */
export const SUBPROTOCOL = 'procmesh.v1';
export const AGENT_PATH = '/agent';
export const LIVE_PATH = '/live';
export const OPERATE_PATH = '/operate';
/** Of the answer to who is turned away: why, in plain words. */
export const REASON_HEADER = 'procmesh-reason';

const name = z.string().check(z.minLength(1), z.maxLength(255));
const timeMs = z.int().check(z.minimum(0));
/** Chosen by whoever asks, unique on its connection. */
const id = z.int().check(z.minimum(1));
const rows = z.union([
  z.array(processRowSchema).check(z.maxLength(10_000)),
  z.array(groupRowSchema).check(z.maxLength(10_000)),
]);

/** `[RULE]`: an interval records a process that reaches any one of these, and the `top` largest of each resource. */
export const rulesSchema = z.object({
  cpuPercent: z.number().check(z.minimum(0)),
  memBytes: z.number().check(z.minimum(0)),
  ioBytesPerSec: z.number().check(z.minimum(0)),
  netBytesPerSec: z.number().check(z.minimum(0)),
  queue: z.number().check(z.minimum(0)),
  utilPercent: z.number().check(z.minimum(0)),
  top: z.int().check(z.minimum(0), z.maximum(1_000)),
});
export type Rules = z.infer<typeof rulesSchema>;

/** What an agent works by; the server sends it, the agent has no configuration file. */
export const settingsSchema = z.object({
  intervalMs: z.int().check(z.minimum(1_000)),
  sampleMs: z.int().check(z.minimum(100)),
  heartbeatMs: z.int().check(z.minimum(100)),
  /** Of one core, that the agent may use while nobody looks; it then samples less often. Absent: no limit. */
  cpuBudgetPercent: z.optional(z.number().check(z.minimum(0))),
  /** Mount points to report; empty: every real file system. */
  mounts: z.array(z.string()),
  rules: rulesSchema,
});
export type Settings = z.infer<typeof settingsSchema>;

/** Servers that one hello may name. */
export const MAX_UNREACHABLE = 10;
/** A server, by its base URL as the agent was given it, and why it was not reached. */
export const unreachableSchema = z.object({
  server: z.string().check(z.minLength(1), z.maxLength(300)),
  reason: z.string().check(z.maxLength(200)),
});
export type Unreachable = z.infer<typeof unreachableSchema>;

export const helloSchema = z.object({
  type: z.literal('hello'),
  host: name,
  version: name,
  /** Intervals that wait on the host's disk, and how many it had to drop since the agent started. */
  outbox: z.object({ waiting: z.int().check(z.minimum(0)), dropped: z.int().check(z.minimum(0)) }),
  /** Servers that it has lost, or tried in vain, since one last welcomed it. */
  unreachable: z.optional(z.array(unreachableSchema).check(z.maxLength(MAX_UNREACHABLE))),
  /** Absent: the agent was started by hand, and is not upgraded over its connection. */
  release: z.optional(runningReleaseSchema),
});

/** Sent with every sample, watched or not. */
export const beatSchema = z.object({
  type: z.literal('beat'),
  atMs: timeMs,
  usage: hostUsageSchema,
  culprits: culpritsSchema,
  agent: footprintSchema,
  netSource: z.optional(netSourceSchema),
  network: z.optional(networkSchema),
  /** Intervals that it had to drop since it started; absent: none. */
  droppedIntervals: z.optional(z.int().check(z.minimum(1))),
  /** What the agent cannot do here, in plain words. */
  message: z.optional(z.string().check(z.maxLength(500))),
});

export const intervalMessageSchema = z.object({ type: z.literal('interval'), interval: intervalSchema });

/** An agent's answer to a watch; an empty one says that nothing of it matters any more. */
export const agentRowsSchema = z.object({ type: z.literal('rows'), id, atMs: timeMs, total: hostTotalSchema, rows });

export const welcomeSchema = z.object({ type: z.literal('welcome'), server: name, settings: settingsSchema });
export const settingsMessageSchema = z.object({ type: z.literal('settings'), settings: settingsSchema });
/**
 * Asks for rows with every sample until `ttlMs` has passed without a renewal (the same id again). With `floor`, rows
 * whose sort figure is below it are left out, and an agent with none stays silent after saying so once.
 */
export const watchSchema = z.object({
  type: z.literal('watch'),
  id,
  query: querySchema,
  ttlMs: z.int().check(z.minimum(1)),
  floor: z.optional(z.number().check(z.minimum(0))),
});
export const unwatchSchema = z.object({ type: z.literal('unwatch'), id });
/** The interval is in the store for good; the agent may forget it. */
export const ackSchema = z.object({ type: z.literal('ack'), endMs: timeMs });
/** The interval was not taken, as too many wait for the store: the agent keeps all it has for so long and tries again. */
export const deferSchema = z.object({ type: z.literal('defer'), endMs: timeMs, afterMs: z.int().check(z.minimum(1)) });

/** The host is no longer of the mesh: the agent ends for good. */
export const retireSchema = z.object({ type: z.literal('retire'), reason: z.string().check(z.maxLength(200)) });

export const subscribeSchema = z.object({ type: z.literal('subscribe'), id, query: querySchema });
export const unsubscribeSchema = z.object({ type: z.literal('unsubscribe'), id });

/** A host that should be in a result and is not, and why. */
export const incompleteSchema = z.object({ host: name, reason: z.string().check(z.maxLength(200)) });
/** The reason given for a host that no agent ever spoke for. */
export const UNKNOWN_HOST = 'not known to this server';
export type Incomplete = z.infer<typeof incompleteSchema>;

export const viewerRowsSchema = z.object({
  type: z.literal('rows'),
  id,
  at: z.string(),
  /** Of the past: where the first interval of the answer begins. */
  from: z.optional(z.string()),
  rows,
  /** Hosts the rows come from, with the figures they add up to. */
  totals: z.array(hostTotalSchema),
  incomplete: z.optional(z.array(incompleteSchema)),
});
export const viewerHostsSchema = z.object({
  type: z.literal('hosts'),
  id,
  at: z.string(),
  /** Of the past: where the first interval of the answer begins. */
  from: z.optional(z.string()),
  rows: z.array(hostRowSchema),
});
export const viewerSeriesSchema = z.object({ type: z.literal('series'), id, ...seriesSchema.shape });
export const viewerBlameSchema = z.object({ type: z.literal('blame'), id, ...blameSchema.shape });
/** How the newest rollout stands; absent while there was none. */
export const viewerReleaseSchema = z.object({
  type: z.literal('release'),
  id,
  at: z.string(),
  rollout: z.optional(rolloutSchema),
});
export const eventSchema = z.object({
  type: z.literal('event'),
  at: z.string(),
  host: name,
  /** Absent of what is no alert. */
  state: z.optional(z.enum(['alerted', 'recovered'])),
  text: z.string().check(z.maxLength(500)),
});
export const errorSchema = z.object({
  type: z.literal('error'),
  id: z.optional(id),
  code: z.string(),
  message: z.string(),
});

export const agentToServerSchema = z.discriminatedUnion('type', [
  helloSchema,
  beatSchema,
  intervalMessageSchema,
  agentRowsSchema,
  wantSchema,
  upgradedSchema,
]);
/** What nobody but an agent may say. */
export const AGENT_VERBS: ReadonlySet<string> = new Set(
  agentToServerSchema.def.options.flatMap(({ shape }) => shape.type.def.values),
);
export const serverToAgentSchema = z.discriminatedUnion('type', [
  welcomeSchema,
  settingsMessageSchema,
  watchSchema,
  unwatchSchema,
  ackSchema,
  deferSchema,
  retireSchema,
  upgradeSchema,
  chunkSchema,
  confirmSchema,
  revertSchema,
]);
export const viewerToServerSchema = z.discriminatedUnion('type', [subscribeSchema, unsubscribeSchema]);
export const serverToViewerSchema = z.discriminatedUnion('type', [
  viewerRowsSchema,
  viewerHostsSchema,
  viewerSeriesSchema,
  viewerBlameSchema,
  viewerReleaseSchema,
  eventSchema,
  errorSchema,
]);

export type AgentToServer = z.infer<typeof agentToServerSchema>;
export type ServerToAgent = z.infer<typeof serverToAgentSchema>;
export type ViewerToServer = z.infer<typeof viewerToServerSchema>;
export type ServerToViewer = z.infer<typeof serverToViewerSchema>;
export type Hello = z.infer<typeof helloSchema>;
export type Beat = z.infer<typeof beatSchema>;
export type AgentRows = z.infer<typeof agentRowsSchema>;
export type Watch = z.infer<typeof watchSchema>;
export type ViewerRows = z.infer<typeof viewerRowsSchema>;
