import { z } from 'zod';

/**
 * What contract.md promises of `--json`, field by field. Written from that text and not from the source, so that a
 * change of the source shows. Fields may be added; what is not known is absent.
 */
const iso = z.iso.datetime();
const figure = z.number().nonnegative().optional();

const metrics = {
  cpuPercent: figure,
  rssBytes: figure,
  readBytesPerSec: figure,
  writeBytesPerSec: figure,
  netInBytesPerSec: figure,
  netOutBytesPerSec: figure,
};

const maxima = {
  cpuPercentMax: figure,
  rssBytesMax: figure,
  readBytesPerSecMax: figure,
  writeBytesPerSecMax: figure,
  netInBytesPerSecMax: figure,
  netOutBytesPerSecMax: figure,
};

const processRow = z.object({
  host: z.string(),
  pid: z.int().positive(),
  instance: z.string().min(1),
  comm: z.string().min(1),
  user: z.string().min(1),
  cmdline: z.string(),
  unit: z.string().optional(),
  container: z.string().optional(),
  ports: z.array(z.int().min(1).max(65_535)),
  state: z.string().length(1),
  threads: z.int().positive(),
  startedAt: iso,
  ...metrics,
});

const unattributed = z.object({
  cpuPercent: figure,
  readBytesPerSec: figure,
  writeBytesPerSec: figure,
  netInBytesPerSec: figure,
  netOutBytesPerSec: figure,
});

const incomplete = z.array(z.object({ host: z.string(), reason: z.string() })).optional();
const answer = { at: iso, view: z.literal('processes'), incomplete };

export const psJson = z.object({
  ...answer,
  rows: z.array(processRow),
  totals: z.array(z.object({ host: z.string(), at: iso, ...metrics, unattributed })),
});

/** With `--at`, each average has its maximum beside it. */
export const psHistoryJson = z.object({
  ...answer,
  rows: z.array(
    z.object({ ...processRow.shape, ...maxima }).refine((row) =>
      (Object.keys(metrics) as (keyof typeof metrics)[]).every((name) => {
        const average = row[name];
        const max = row[`${name}Max`];
        return average === undefined ? max === undefined : max !== undefined && max >= average;
      }),
    ),
  ),
});

export const psGroupJson = z.object({
  ...answer,
  rows: z.array(
    z.object({ host: z.string().optional(), group: z.string().min(1), processes: z.int().positive(), ...metrics }),
  ),
});

/** A host that is online. */
const hostRow = z.object({
  host: z.string(),
  status: z.enum(['online', 'late', 'offline', 'deploying', 'upgrading', 'failed', 'retired']),
  version: z.string().min(1),
  server: z.string().min(1),
  lastSeenAt: iso,
  cores: z.int().positive(),
  cpuPercent: z.number().nonnegative(),
  load1: z.number().nonnegative(),
  memTotalBytes: z.number().positive(),
  memUsedBytes: z.number().positive(),
  readBytesPerSec: z.number().nonnegative(),
  writeBytesPerSec: z.number().nonnegative(),
  diskUtilPercent: z.number().min(0).max(100),
  netInBytesPerSec: z.number().nonnegative(),
  netOutBytesPerSec: z.number().nonnegative(),
  processes: z.int().positive(),
  unattributed,
  netSource: z.enum(['bpf', 'sockets']).optional(),
  agent: z.object({ cpuPercent: z.number().nonnegative(), rssBytes: z.number().positive() }),
  message: z.string().optional(),
});

export const hostsJson = z.object({ at: iso, view: z.literal('hosts'), rows: z.array(hostRow) });
