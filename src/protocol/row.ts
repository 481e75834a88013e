import { z } from 'zod';
import { flowsSchema, metricMaximaSchema, metricsSchema } from './metric.ts';

const name = z.string().max(255);
const bytes = z.number().min(0).finite();
const percent = z.number().min(0).finite();
const isoTime = z.string().max(40);

/** Longest command line that leaves a host, in UTF-16 code units, after secrets were scrubbed. */
export const MAX_CMDLINE_LENGTH = 2048;

/** What an operator calls a process, apart from its figures. `pid` and `startedAt` together never repeat on a host. */
export const identitySchema = z.object({
  pid: z.int().min(1),
  /** `mysqld:3307`, `kafka.service`, a container, else `comm`. */
  instance: name,
  /** The kernel's 15-byte name. */
  comm: name,
  user: name,
  /** Scrubbed of secrets; empty for kernel threads. */
  cmdline: z.string().max(MAX_CMDLINE_LENGTH),
  unit: name.optional(),
  container: name.optional(),
  /** TCP ports the instance listens on, ascending. */
  ports: z.array(z.int().min(0).max(65535)).max(64),
  /** One letter, proc_pid_stat(5). */
  state: z.string().max(2),
  threads: z.int().min(0),
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
  host: name.optional(),
  group: name,
  processes: z.int().min(0),
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
  cores: z.int().min(1),
  /** Not idle, not waiting for I/O, not stolen; 100 = one core. */
  cpuPercent: percent,
  iowaitPercent: percent,
  stealPercent: percent,
  load1: z.number().min(0),
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
  diskQueue: z.number().min(0),
  /** Physical interfaces; loopback and virtual ones left out. */
  netInBytesPerSec: bytes,
  netOutBytesPerSec: bytes,
  processes: z.int().min(0),
  unattributed: flowsSchema,
});
export type HostUsage = z.infer<typeof hostUsageSchema>;

/** The agent's own cost, measured by itself. */
export const footprintSchema = z.object({ cpuPercent: percent, rssBytes: bytes });
export type Footprint = z.infer<typeof footprintSchema>;

/** The largest processes of each resource, largest first: what a host view shows without asking for a process table. */
export const culpritSchema = z.object({ instance: name, pid: z.int().min(1), value: z.number().min(0) });
export const culpritsSchema = z.object({
  cpu: z.array(culpritSchema).max(5).optional(),
  mem: z.array(culpritSchema).max(5).optional(),
  read: z.array(culpritSchema).max(5).optional(),
  write: z.array(culpritSchema).max(5).optional(),
  'net-in': z.array(culpritSchema).max(5).optional(),
  'net-out': z.array(culpritSchema).max(5).optional(),
});
export type Culprits = z.infer<typeof culpritsSchema>;

export const HOST_STATUSES = ['online', 'late', 'offline', 'deploying', 'upgrading', 'failed', 'retired'] as const;

/** One host in `hosts`. A host that never reported has a status and nothing else. */
export const hostRowSchema = z.object({
  host: name,
  status: z.enum(HOST_STATUSES),
  version: name.optional(),
  /** Name of the server that holds this host's connection. */
  server: name.optional(),
  lastSeenAt: isoTime.optional(),
  ...hostUsageSchema.partial().shape,
  netSource: z.enum(['bpf', 'sockets']).optional(),
  agent: footprintSchema.optional(),
  culprits: culpritsSchema.optional(),
  message: z.string().max(500).optional(),
});
export type HostRow = z.infer<typeof hostRowSchema>;

/** Host figures of the very sample the rows beside it were taken from, so that the rows can be added up against it. */
export const hostTotalSchema = z.object({ host: name, at: isoTime, ...hostUsageSchema.shape });
export type HostTotal = z.infer<typeof hostTotalSchema>;
