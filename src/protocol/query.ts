import * as z from 'zod/mini';
import { SORT_NAMES, type SortName } from './metric.ts';

export const GROUPINGS = ['instance', 'user', 'comm', 'host'] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** Rows a query returns unless it says otherwise, and the most it may ask for. */
export const DEFAULT_LIMIT = 20;
export const MAX_LIMIT = 10_000;

/** Most points that a series holds. */
export const MAX_POINTS = 2_000;

/**
 * One question, for now and for then: without `at` it is answered from live state and kept up to date,
 * with `at` from the store. `ps`, `top` and `blame` are faces of it.
 */
export const querySchema = z.object({
  /**
   * `series`: the intervals of one host one by one. `blame`: who used up one host. Both are of the past. `release`: how the
   * newest rollout stands, with at most `limit` hosts.
   */
  view: z.enum(['hosts', 'processes', 'series', 'blame', 'release']),
  /** Only this host. */
  host: z.optional(z.string().check(z.minLength(1), z.maxLength(255))),
  /** Of a `series`: the figures of this process beside those of its host. */
  process: z.optional(z.object({ pid: z.int().check(z.minimum(1)), startedAt: z.iso.datetime() })),
  /** Lucene-like, see filter.ts. */
  filter: z.optional(z.string().check(z.minLength(1), z.maxLength(500))),
  groupBy: z.optional(z.enum(GROUPINGS)),
  /** Largest first; a `blame` has its culprits of every resource, a `series` is the newest points. */
  sort: z.enum(SORT_NAMES as [SortName, ...SortName[]]),
  limit: z.int().check(z.minimum(1), z.maximum(MAX_LIMIT)),
  /** Live and without `groupBy`: rows carry memory shares, open files, endpoints and the like, see `detailsSchema`. */
  details: z.optional(z.boolean()),
  /** Epoch ms. */
  atMs: z.optional(z.int().check(z.minimum(0))),
  /** Up to `atMs`, this much history is averaged; without it the one interval that holds `atMs`. */
  windowMs: z.optional(z.int().check(z.minimum(1_000), z.maximum(366 * 86_400_000))),
});
export type Query = z.infer<typeof querySchema>;
