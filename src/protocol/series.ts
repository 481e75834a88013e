import * as z from 'zod/mini';
import { hostMaximaSchema } from './interval.ts';
import { metricMaximaSchema, metricsSchema } from './metric.ts';
import { MAX_POINTS } from './query.ts';
import { hostUsageSchema } from './row.ts';

/** What one host did in one interval. */
export const pointSchema = z.object({
  /** UTC; `at` is the end. */
  from: z.iso.datetime(),
  at: z.iso.datetime(),
  usage: hostUsageSchema,
  max: hostMaximaSchema,
  /** Of the process that was asked for; absent where the interval did not record it. */
  process: z.optional(z.object({ ...metricsSchema.shape, ...metricMaximaSchema.shape })),
});
export type Point = z.infer<typeof pointSchema>;

/** The intervals of one host, oldest first; where there are too many, the newest. */
export const seriesSchema = z.object({
  host: z.string().check(z.maxLength(255)),
  points: z.array(pointSchema).check(z.maxLength(MAX_POINTS)),
});
export type Series = z.infer<typeof seriesSchema>;
