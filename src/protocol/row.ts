import * as z from 'zod/mini';
import { flowsSchema, metricMaximaSchema, metricsSchema } from './metric.ts';

const name = z.string().check(z.maxLength(255));
const bytes = z.number().check(z.minimum(0));
const percent = z.number().check(z.minimum(0));
const isoTime = z.iso.datetime();

/** Longest command line that leaves a host, in UTF-16 code units, after secrets were scrubbed. */
export const MAX_CMDLINE_LENGTH = 2048;

/** What an operator calls a process, apart from its figures. `pid` and `startedAt` together never repeat on a host. */
export const identitySchema = z.object({
  pid: z.int().check(z.minimum(1)),
  /** `mysqld:3307`, `kafka.service`, a container, else `comm`. */
  instance: name,
  /** The kernel's 15-byte name. */
  comm: name,
  user: name,
  /** Scrubbed of secrets; empty for kernel threads. */
  cmdline: z.string().check(z.maxLength(MAX_CMDLINE_LENGTH)),
  unit: z.optional(name),
  container: z.optional(name),
  /** TCP ports the instance listens on, ascending. */
  ports: z.array(z.int().check(z.minimum(0), z.maximum(65535))).check(z.maxLength(64)),
  /** One letter, proc_pid_stat(5). */
  state: z.string().check(z.maxLength(2)),
  threads: z.int().check(z.minimum(0)),
  /** UTC. */
  startedAt: isoTime,
});
export type Identity = z.infer<typeof identitySchema>;

/** One process of one host, now (from live state) or then (an interval's average, with the maxima beside it). */
export const processRowSchema = z.object({
  host: name,
  ...identitySchema.shape,
  ...metricsSchema.shape,
  ...metricMaximaSchema.shape,
});
export type ProcessRow = z.infer<typeof processRowSchema>;

/** The sum over the processes that share one instance, user, comm or host; `host` is absent when it spans hosts. */
export const groupRowSchema = z.object({
  host: z.optional(name),
  group: name,
  processes: z.int().check(z.minimum(0)),
  ...metricsSchema.shape,
  ...metricMaximaSchema.shape,
});
export type GroupRow = z.infer<typeof groupRowSchema>;

export type Row = ProcessRow | GroupRow;

/**
 * A host's own figures at one sample, or averaged over one interval. For CPU, disk and network:
 * host = Σ processes + unattributed.
 */
export const hostUsageSchema = z.object({
  cores: z.int().check(z.minimum(1)),
  /** Not idle, not waiting for I/O, not stolen; 100 = one core. */
  cpuPercent: percent,
  iowaitPercent: percent,
  stealPercent: percent,
  load1: z.number().check(z.minimum(0)),
  memTotalBytes: bytes,
  /** Total less available. */
  memUsedBytes: bytes,
  /** Asked of the storage by processes and kernel; page-cache hits do not count, writes count when they dirty a page. */
  readBytesPerSec: bytes,
  writeBytesPerSec: bytes,
  /** What the block devices really moved in the same time: writes arrive here later, when the kernel flushes. */
  deviceReadBytesPerSec: bytes,
  deviceWriteBytesPerSec: bytes,
  /** Of the busiest device: share of time with at least one request in flight, 0–100. */
  diskUtilPercent: percent,
  /** Of the busiest device: requests in flight, averaged over the time. */
  diskQueue: z.number().check(z.minimum(0)),
  /** Physical interfaces; loopback and virtual ones left out. */
  netInBytesPerSec: bytes,
  netOutBytesPerSec: bytes,
  processes: z.int().check(z.minimum(0)),
  unattributed: flowsSchema,
});
export type HostUsage = z.infer<typeof hostUsageSchema>;

/** The agent's own cost, measured by itself. */
export const footprintSchema = z.object({ cpuPercent: percent, rssBytes: bytes });
export type Footprint = z.infer<typeof footprintSchema>;

/** The largest processes of each resource, largest first: what a host view shows without asking for a process table. */
export const culpritSchema = z.object({
  instance: name,
  pid: z.int().check(z.minimum(1)),
  value: z.number().check(z.minimum(0)),
});
export const culpritsSchema = z.object({
  cpu: z.optional(z.array(culpritSchema).check(z.maxLength(5))),
  mem: z.optional(z.array(culpritSchema).check(z.maxLength(5))),
  read: z.optional(z.array(culpritSchema).check(z.maxLength(5))),
  write: z.optional(z.array(culpritSchema).check(z.maxLength(5))),
  'net-in': z.optional(z.array(culpritSchema).check(z.maxLength(5))),
  'net-out': z.optional(z.array(culpritSchema).check(z.maxLength(5))),
});
export type Culprits = z.infer<typeof culpritsSchema>;

export const HOST_STATUSES = ['online', 'late', 'offline', 'deploying', 'upgrading', 'failed', 'retired'] as const;

/** One host in `hosts`. A host that never reported has a status and nothing else. */
export const hostRowSchema = z.object({
  host: name,
  status: z.enum(HOST_STATUSES),
  version: z.optional(name),
  /** Name of the server that holds this host's connection. */
  server: z.optional(name),
  lastSeenAt: z.optional(isoTime),
  ...z.partial(hostUsageSchema).shape,
  netSource: z.optional(z.enum(['bpf', 'sockets'])),
  agent: z.optional(footprintSchema),
  culprits: z.optional(culpritsSchema),
  message: z.optional(z.string().check(z.maxLength(500))),
});
export type HostRow = z.infer<typeof hostRowSchema>;

/** Host figures of the very sample the rows beside it were taken from, so that the rows can be added up against it. */
export const hostTotalSchema = z.object({ host: name, at: isoTime, ...hostUsageSchema.shape });
export type HostTotal = z.infer<typeof hostTotalSchema>;
