import * as z from 'zod/mini';
import { metricMaximaSchema, metricsSchema } from './metric.ts';
import { endpointSchema, hostUsageSchema, identitySchema, networkInterfaceSchema } from './row.ts';

const name = z.string().check(z.maxLength(255));
const figure = z.number().check(z.minimum(0));

/** One real file system and the block device below it, averaged over the interval. */
export const diskSchema = z.object({
  mount: z.string().check(z.maxLength(1024)),
  device: name,
  totalBytes: figure,
  usedBytes: figure,
  /** Absent where the device has no counters of its own (network file systems). */
  readBytesPerSec: z.optional(figure),
  writeBytesPerSec: z.optional(figure),
  utilPercent: z.optional(figure),
  utilPercentMax: z.optional(figure),
  queue: z.optional(figure),
  queueMax: z.optional(figure),
});
export type Disk = z.infer<typeof diskSchema>;

/** A process over a threshold or among the largest of a resource: averages over the interval and the maxima of its samples. */
export const intervalProcessSchema = z.object({
  ...identitySchema.shape,
  ...metricsSchema.shape,
  ...metricMaximaSchema.shape,
});
export type IntervalProcess = z.infer<typeof intervalProcessSchema>;

/** An interface that counts for the host, averaged over the interval. */
export const intervalInterfaceSchema = z.object({
  ...networkInterfaceSchema.shape,
  inBytesPerSecMax: figure,
  outBytesPerSecMax: figure,
});
export type IntervalInterface = z.infer<typeof intervalInterfaceSchema>;

/** Bytes between an instance and one endpoint: over the threshold, or among the largest. */
export const intervalEndpointSchema = z.object({
  instance: name,
  ...endpointSchema.shape,
  inBytesPerSecMax: figure,
  outBytesPerSecMax: figure,
});
export type IntervalEndpoint = z.infer<typeof intervalEndpointSchema>;

/** The maxima of an interval's samples, beside the averages in its `host`. */
export const hostMaximaSchema = z.pick(hostUsageSchema, {
  cpuPercent: true,
  memUsedBytes: true,
  readBytesPerSec: true,
  writeBytesPerSec: true,
  diskUtilPercent: true,
  diskQueue: true,
  netInBytesPerSec: true,
  netOutBytesPerSec: true,
});
export type HostMaxima = z.infer<typeof hostMaximaSchema>;

/** The last moment that a date of four digits can name. */
const MAX_TIME_MS = Date.UTC(9999, 11, 31);

/**
 * What one host did between `startMs` (exclusive) and `endMs` (inclusive), epoch ms. `endMs` identifies it on its host:
 * it lies on a whole multiple of `interval_time`, and is what `a_time` holds.
 */
export const intervalSchema = z
  .object({
    startMs: z.int().check(z.minimum(0)),
    endMs: z.int().check(z.minimum(1), z.maximum(MAX_TIME_MS)),
    /** Samples it was made of. */
    samples: z.int().check(z.minimum(1)),
    host: hostUsageSchema,
    hostMax: hostMaximaSchema,
    disks: z.array(diskSchema).check(z.maxLength(1_000)),
    processes: z.array(intervalProcessSchema).check(z.maxLength(10_000)),
    interfaces: z.optional(z.array(intervalInterfaceSchema).check(z.maxLength(64))),
    endpoints: z.optional(z.array(intervalEndpointSchema).check(z.maxLength(1_000))),
  })
  .check(z.refine(({ startMs, endMs }) => startMs < endMs, 'it must end after its start'));
export type Interval = z.infer<typeof intervalSchema>;
