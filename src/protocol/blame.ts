import * as z from 'zod/mini';
import { SORT_NAMES, type SortName } from './metric.ts';

const name = z.string().check(z.maxLength(255));
const figure = z.number().check(z.minimum(0));
const isoTime = z.iso.datetime();

/** The largest processes of an instance that are named. */
export const MAX_PIDS = 100;

/** An instance: all processes of one name. Figures are in the unit of the resource's metric. */
export const culpritShareSchema = z.object({
  instance: name,
  /** Of its largest process. */
  comm: name,
  pids: z.array(z.int().check(z.minimum(1))).check(z.maxLength(MAX_PIDS)),
  /** Of its largest process. */
  cmdline: z.string(),
  user: name,
  /** Over the whole window: what was recorded in half of it shows half. */
  avg: figure,
  /** Of a single process its largest sample; of several no more than the sum of theirs, and than the host's. */
  max: figure,
  /** Of `hostAvg`, 0–100. */
  sharePercent: figure,
});
export type CulpritShare = z.infer<typeof culpritShareSchema>;

export const blamedResourceSchema = z.object({
  resource: z.enum(SORT_NAMES as [SortName, ...SortName[]]),
  hostAvg: figure,
  hostMax: figure,
  /** End of the interval that had the largest sample. */
  hostMaxAt: isoTime,
  /** What no process accounts for; absent of memory. */
  unattributed: z.optional(figure),
  /** What is left of `hostAvg`: processes that are not among the culprits, most of them too small to be recorded. */
  others: figure,
  /** Largest first. */
  culprits: z.array(culpritShareSchema).check(z.maxLength(100)),
});
export type BlamedResource = z.infer<typeof blamedResourceSchema>;

/** Who used up one host in a stretch of time. */
export const blameSchema = z.object({
  host: name,
  from: isoTime,
  to: isoTime,
  /** Sum of the intervals, ms: less than `to` − `from` where nothing was recorded in between. */
  coveredMs: z.int().check(z.minimum(0)),
  cores: z.int().check(z.minimum(1)),
  memTotalBytes: figure,
  resources: z.array(blamedResourceSchema),
});
export type Blame = z.infer<typeof blameSchema>;
