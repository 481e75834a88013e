import { z } from 'zod';
import { SORT_NAMES, type SortName } from './metric.ts';

export const GROUPINGS = ['instance', 'user', 'comm', 'host'] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** Rows a query returns unless it says otherwise, and the most it may ask for. */
export const DEFAULT_LIMIT = 20;
export const MAX_LIMIT = 10_000;

/**
 * One question, for now and for then: without `at` it is answered from live state and kept up to date,
 * with `at` from the store. `ps`, `top` and `blame` are faces of it.
 */
export const querySchema = z.object({
  view: z.enum(['hosts', 'processes']),
  /** Only this host. */
  host: z.string().min(1).max(255).optional(),
  /** Lucene-like, see filter.ts. */
  filter: z.string().min(1).max(500).optional(),
  groupBy: z.enum(GROUPINGS).optional(),
  /** Largest first. */
  sort: z.enum(SORT_NAMES as [SortName, ...SortName[]]),
  limit: z.int().min(1).max(MAX_LIMIT),
  /** Epoch ms. */
  atMs: z.int().min(0).optional(),
  /** Up to `atMs`, this much history is averaged; without it the one interval that holds `atMs`. */
  windowMs: z
    .int()
    .min(1_000)
    .max(366 * 86_400_000)
    .optional(),
});
export type Query = z.infer<typeof querySchema>;
