import * as z from 'zod/mini';
import { flowsSchema, metricMaximaSchema, metricsSchema } from './metric.ts';

const name = z.string().check(z.maxLength(255));
const bytes = z.number().check(z.minimum(0));
const percent = z.number().check(z.minimum(0));
const port = z.int().check(z.minimum(0), z.maximum(65535));
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
  ports: z.array(port).check(z.maxLength(64)),
  /** One letter, proc_pid_stat(5). */
  state: z.string().check(z.maxLength(2)),
  threads: z.int().check(z.minimum(0)),
  /** UTC. */
  startedAt: isoTime,
});
export type Identity = z.infer<typeof identitySchema>;

/** One local port that is served, or one remote port that is used, and who is at the other end. */
export const endpointSchema = z.object({
  /** Absent of a client's, which was given to it just for the moment. */
  localPort: z.optional(port),
  /** Absent of a peer's that was given to it just for the moment, and of sockets without a fixed peer. */
  remotePort: z.optional(port),
  /** `10.0.0.7`, `2001:db8::7`; `0.0.0.0` or `::` of sockets without a fixed peer. */
  remoteAddress: z.string().check(z.maxLength(45)),
  inBytesPerSec: bytes,
  outBytesPerSec: bytes,
});
export type Endpoint = z.infer<typeof endpointSchema>;

/** Short-lived processes of one name, charged to the process that started them. */
export const endedChildrenSchema = z.object({
  comm: name,
  count: z.int().check(z.minimum(1)),
  cpuPercent: percent,
});
export type EndedChildren = z.infer<typeof endedChildrenSchema>;

/** What is read only of a process that somebody looks at, or comes with the live sample alone. Absent = not known. */
export const detailsSchema = z.object({
  /** Moved within this machine; not part of the network figures. */
  loopbackInBytesPerSec: z.optional(bytes),
  loopbackOutBytesPerSec: z.optional(bytes),
  /** Memory with each shared page divided by the number of its users: what forked workers really take. */
  pssBytes: z.optional(bytes),
  openFiles: z.optional(z.int().check(z.minimum(0))),
  /** Time its threads were ready to run and had to wait for a CPU; 100 = one thread waiting all the time. */
  cpuWaitPercent: z.optional(percent),
  /** The largest, by bytes of both directions. */
  endpoints: z.optional(z.array(endpointSchema).check(z.maxLength(20))),
  /** Those that used most CPU time. */
  endedChildren: z.optional(z.array(endedChildrenSchema).check(z.maxLength(5))),
});
export type Details = z.infer<typeof detailsSchema>;

/** One process of one host, now (from live state) or then (an interval's average, with the maxima beside it). */
export const processRowSchema = z.object({
  host: name,
  ...identitySchema.shape,
  ...metricsSchema.shape,
  ...metricMaximaSchema.shape,
  ...detailsSchema.shape,
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
export const footprintSchema = z.object({
  cpuPercent: percent,
  rssBytes: bytes,
  /** Time between two samples: longer than asked for where the CPU budget would be exceeded and nobody looks. */
  sampleMs: z.optional(z.int().check(z.minimum(1))),
});
export type Footprint = z.infer<typeof footprintSchema>;

/** A network interface that counts for the host. */
export const networkInterfaceSchema = z.object({
  name,
  /** Of each direction; absent where the link is down or virtual. */
  speedBitsPerSec: z.optional(z.number().check(z.minimum(0))),
  inBytesPerSec: bytes,
  outBytesPerSec: bytes,
});
export type NetworkInterface = z.infer<typeof networkInterfaceSchema>;

/** What stands behind the host's network figures. */
export const networkSchema = z.object({
  interfaces: z.array(networkInterfaceSchema).check(z.maxLength(64)),
  /** Headers of packets, estimated; they are part of what is unattributed. */
  overheadInBytesPerSec: bytes,
  overheadOutBytesPerSec: bytes,
  /** Moved within this machine; not part of the network figures. */
  loopbackBytesPerSec: bytes,
});
export type Network = z.infer<typeof networkSchema>;

/** Where figures of processes' network come from: programs in the kernel, or the counters of TCP sockets. */
export const netSourceSchema = z.enum(['bpf', 'sockets']);
export type NetSource = z.infer<typeof netSourceSchema>;

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
  netSource: z.optional(netSourceSchema),
  network: z.optional(networkSchema),
  agent: z.optional(footprintSchema),
  culprits: z.optional(culpritsSchema),
  message: z.optional(z.string().check(z.maxLength(500))),
});
export type HostRow = z.infer<typeof hostRowSchema>;

/** Host figures of the very sample the rows beside it were taken from, so that the rows can be added up against it. */
export const hostTotalSchema = z.object({ host: name, at: isoTime, ...hostUsageSchema.shape });
export type HostTotal = z.infer<typeof hostTotalSchema>;
