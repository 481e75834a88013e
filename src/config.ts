import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'ini';
import * as z from 'zod/mini';
import { Problem } from './problem.ts';

/** Everything the server can be told, validated once and frozen. Times are in ms, sizes in bytes. */
export interface Config {
  readonly version: string;
  readonly intervalMs: number;
  readonly sampleMs: number;
  readonly heartbeatMs: number;
  readonly retentionMs: number;
  /** Empty: standard error. */
  readonly logFile: string;
  readonly logBytes: number;
  readonly mounts: readonly string[];
  readonly dataDir: string;
  readonly rules: {
    readonly cpuPercent: number;
    readonly memBytes: number;
    readonly ioBytesPerSec: number;
    readonly netBytesPerSec: number;
    readonly queue: number;
    readonly utilPercent: number;
    readonly top: number;
  };
  /** Of one core, for an agent nobody looks at. */
  readonly cpuBudgetPercent: number;
  readonly listen: { readonly host: string; readonly port: number };
  /** Where history is kept; undefined: in the embedded store. */
  readonly mysql: MysqlConfig | undefined;
}

export interface MysqlConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** A text that `parse` makes a value of; undefined where it cannot, and then the message says what is allowed. */
function parsed<Value>(allowed: string, parse: (text: string) => Value | undefined) {
  return z.pipe(
    z.string(),
    z.transform((text: string, context): Value => {
      const value = parse(text);
      if (value !== undefined) return value;
      context.issues.push({ code: 'custom', message: allowed, input: text });
      return z.NEVER;
    }),
  );
}

const number = (min: number, max: number) =>
  parsed(`a number from ${min} to ${max}`, (text) => {
    const value = Number(text);
    return text.trim() !== '' && value >= min && value <= max ? value : undefined;
  });
const wholeNumber = (min: number, max: number) =>
  parsed(`a whole number from ${min} to ${max}`, (text) => {
    const value = Number(text);
    return /^\d+$/.test(text.trim()) && value >= min && value <= max ? value : undefined;
  });
const text = z.string();
const identifier = parsed('letters, digits, _ and -', (value) => (/^[\w-]{1,64}$/.test(value) ? value : undefined));
const list = parsed('a comma list', (value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
const address = parsed('HOST:PORT on the loopback interface, as the connection is not encrypted yet', (value) => {
  const [, host = '', port = ''] = /^(?:\[?([^\]]*?)\]?:)?(\d+)$/.exec(value) ?? [];
  const isLoopback = ['', 'localhost', '::1'].includes(host) || /^127(\.\d+){3}$/.test(host);
  return Number(port) <= 65_535 && port !== '' && isLoopback
    ? { host: host || '127.0.0.1', port: Number(port) }
    : undefined;
});

/** The keys of conf/config.ini by section, each with its default and what is allowed. */
const KEYS = {
  global: {
    version: { default: '', schema: text },
    interval_time: { default: '30', schema: wholeNumber(1, 3_600) },
    sample_time: { default: '2', schema: number(0.2, 60) },
    heartbeat_time: { default: '3', schema: number(0.2, 60) },
    retention_day: { default: '30', schema: number(1, 3_650) },
    log_file: { default: '', schema: text },
    log_size: { default: '20', schema: number(1, 10_240) },
    mount_part: { default: '', schema: list },
    data_dir: { default: '', schema: text },
  },
  RULE: {
    cpu: { default: '200', schema: number(0, 1e6) },
    mem: { default: '10', schema: number(0, 1e6) },
    io: { default: '10240', schema: number(0, 1e12) },
    net: { default: '10240', schema: number(0, 1e12) },
    avgqu: { default: '5', schema: number(0, 1e6) },
    util: { default: '50', schema: number(0, 100) },
    top: { default: '5', schema: number(0, 1_000) },
  },
  SERVER: {
    listen: { default: '127.0.0.1:9300', schema: address },
  },
  CLIENT: {
    cpu_budget: { default: '1', schema: number(0.01, 1e6) },
  },
  Monitor: {
    mysql_host: { default: '', schema: text },
    mysql_port: { default: '3306', schema: wholeNumber(1, 65_535) },
    mysql_user: { default: 'monitor_rw', schema: text },
    mysql_pass: { default: '', schema: text },
    mysql_db: { default: 'dbzz_monitor', schema: identifier },
  },
} as const;

type Section = keyof typeof KEYS;
type Values = {
  [S in Section]: {
    [K in keyof (typeof KEYS)[S]]: z.infer<Extract<(typeof KEYS)[S][K], { schema: z.ZodMiniType }>['schema']>;
  };
};

export interface LoadedConfig {
  config: Config;
  /** One line each: settings that are there and mean nothing. */
  warnings: string[];
}

/**
 * Reads a configuration file; `PROCMESH_<SECTION>_<KEY>` in the environment overrides a key.
 * @throws Problem (exit 2) when the file cannot be read or a value is not allowed; it names file, section, key, value and
 *   what is allowed.
 */
export function loadConfig(file: string, env: NodeJS.ProcessEnv): LoadedConfig {
  let ini: Record<string, unknown>;
  try {
    ini = parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : cause;
    throw new Problem(
      'ERR_CONFIG',
      `the configuration ${file} cannot be read (${code}): name another with --config FILE`,
      { exitCode: 2, cause },
    );
  }
  const values: Record<string, Record<string, unknown>> = {};
  for (const [section, keys] of Object.entries(KEYS)) {
    const written = ini[section];
    const table = typeof written === 'object' && written !== null ? (written as Record<string, unknown>) : {};
    values[section] = {};
    for (const [key, { default: fallback, schema }] of Object.entries(keys) as [
      string,
      { default: string; schema: z.ZodMiniType },
    ][]) {
      const variable = `PROCMESH_${section.toUpperCase()}_${key.toUpperCase()}`;
      const raw = env[variable] ?? table[key] ?? fallback;
      const result = schema.safeParse(String(raw));
      if (!result.success) {
        const where = env[variable] === undefined ? file : `the environment (${variable})`;
        const allowed = result.error.issues[0]?.message;
        throw new Problem(
          'ERR_CONFIG',
          `[${section}] ${key} = ${JSON.stringify(String(raw))} in ${where} is not allowed: it takes ${allowed}`,
          { exitCode: 2 },
        );
      }
      values[section][key] = result.data;
    }
  }
  return { config: freeze(values as Values), warnings: [...unknownKeys(ini, file), ...unknownVariables(env)] };
}

function freeze({ global, RULE, SERVER, CLIENT, Monitor }: Values): Config {
  return Object.freeze({
    version: global.version,
    intervalMs: Math.round(global.interval_time * 1000),
    sampleMs: Math.round(global.sample_time * 1000),
    heartbeatMs: Math.round(global.heartbeat_time * 1000),
    retentionMs: global.retention_day * 86_400_000,
    logFile: global.log_file,
    logBytes: global.log_size * 1024 * 1024,
    mounts: Object.freeze(global.mount_part),
    dataDir: global.data_dir === '' ? defaultDataDir() : resolve(global.data_dir),
    rules: Object.freeze({
      cpuPercent: RULE.cpu,
      memBytes: RULE.mem * 1024 ** 3,
      ioBytesPerSec: RULE.io * 1024,
      netBytesPerSec: RULE.net * 1024,
      queue: RULE.avgqu,
      utilPercent: RULE.util,
      top: Math.round(RULE.top),
    }),
    cpuBudgetPercent: CLIENT.cpu_budget,
    listen: Object.freeze(SERVER.listen),
    mysql:
      Monitor.mysql_host === ''
        ? undefined
        : Object.freeze({
            host: Monitor.mysql_host,
            port: Monitor.mysql_port,
            user: Monitor.mysql_user,
            password: Monitor.mysql_pass,
            database: Monitor.mysql_db,
          }),
  });
}

/** Where state lives by the file system's conventions: system-wide for root, else the user's own. */
export function defaultDataDir(): string {
  if (process.getuid?.() === 0) return '/var/lib/procmesh';
  return join(process.env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'procmesh');
}

function unknownKeys(ini: Record<string, unknown>, file: string): string[] {
  const warnings: string[] = [];
  for (const [section, table] of Object.entries(ini)) {
    if (!Object.hasOwn(KEYS, section) || typeof table !== 'object' || table === null) {
      warnings.push(`[${section}] in ${file} is not a known section and is ignored`);
      continue;
    }
    const known = KEYS[section as Section];
    for (const key of Object.keys(table)) {
      if (!Object.hasOwn(known, key))
        warnings.push(`[${section}] ${key} in ${file} is not a known setting and is ignored`);
    }
  }
  return warnings;
}

function unknownVariables(env: NodeJS.ProcessEnv): string[] {
  const known = new Set(
    Object.entries(KEYS).flatMap(([section, keys]) =>
      Object.keys(keys).map((key) => `PROCMESH_${section}_${key}`.toUpperCase()),
    ),
  );
  return Object.keys(env)
    .filter((variable) => variable.startsWith('PROCMESH_') && !known.has(variable))
    .map((variable) => `${variable} in the environment is not a known setting and is ignored`);
}
