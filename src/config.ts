import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'ini';
import type * as z from 'zod/mini';
import { KEYS, type Tls, type Wave } from './config-keys.ts';
import { Problem } from './problem.ts';

export type { Tls, Wave } from './config-keys.ts';

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
  /** Where agents are installed on hosts. */
  readonly scriptDir: string;
  /** An empty host: every address of a server by itself, loopback of one that `procmesh start` starts. */
  readonly listen: { readonly host: string; readonly port: number };
  /** URLs that agents are given; empty: this server's own. */
  readonly servers: readonly string[];
  readonly tls: Tls;
  readonly deploy: DeployConfig;
  readonly alerts: AlertConfig;
  readonly release: ReleaseConfig;
  /** Where history is kept; undefined: in the embedded store. */
  readonly mysql: MysqlConfig | undefined;
}

/** How hosts are reached and what is put there; an empty text is not set. */
export interface DeployConfig {
  readonly user: string;
  readonly port: string;
  readonly keyFile: string;
  readonly password: string;
  /** `PATH` of the agent. */
  readonly path: string;
  /** The hosts' own Node.js, where ours cannot run. */
  readonly node: string;
  readonly parallel: number;
}

/** How a release comes to the hosts, and what a host must be like with it. */
export interface ReleaseConfig {
  readonly waves: readonly Wave[];
  /** So long an agent is watched before its host counts as well. */
  readonly healthMs: number;
  /** After so long without being confirmed an agent goes back to the release before. */
  readonly trialMs: number;
  /** Of an agent: 100 is one core. */
  readonly maxCpuPercent: number;
  readonly maxRssBytes: number;
}

export interface AlertConfig {
  /** Of the WeCom robot, and of any other receiver; empty: not set. */
  readonly wecomUrl: string;
  readonly webhookUrl: string;
  /** 0–100, of a host's whole; 0: never. */
  readonly saturation: {
    readonly cpuPercent: number;
    readonly memPercent: number;
    readonly diskUtilPercent: number;
    readonly netPercent: number;
    readonly forMs: number;
  };
}

export interface MysqlConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Of the account that may touch the alerts alone and is given to agents; undefined: none is. */
  readonly alertAccount: { readonly user: string; readonly password: string } | undefined;
}

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

function freeze({ global, RULE, SERVER, CLIENT, MSM, ALERT, RELEASE, Monitor }: Values): Config {
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
    scriptDir: global.script_dir,
    listen: Object.freeze(SERVER.listen),
    servers: Object.freeze(SERVER.servers),
    tls: SERVER.tls,
    deploy: Object.freeze({
      user: CLIENT.ssh_user,
      port: CLIENT.ssh_port,
      keyFile: CLIENT.ssh_key,
      password: CLIENT.ssh_pass,
      path: CLIENT.path,
      node: CLIENT.node,
      parallel: CLIENT.parallel,
    }),
    alerts: Object.freeze({
      wecomUrl: MSM.wx_url,
      webhookUrl: MSM.webhook_url,
      saturation: Object.freeze({
        cpuPercent: ALERT.cpu,
        memPercent: ALERT.mem,
        diskUtilPercent: ALERT.util,
        netPercent: ALERT.net,
        forMs: ALERT.minutes * 60_000,
      }),
    }),
    release: Object.freeze({
      waves: Object.freeze(RELEASE.waves),
      healthMs: RELEASE.health_time * 1000,
      trialMs: RELEASE.trial_time * 1000,
      maxCpuPercent: RELEASE.cpu,
      maxRssBytes: RELEASE.mem * 1024 ** 2,
    }),
    mysql:
      Monitor.mysql_host === ''
        ? undefined
        : Object.freeze({
            host: Monitor.mysql_host,
            port: Monitor.mysql_port,
            user: Monitor.mysql_user,
            password: Monitor.mysql_pass,
            database: Monitor.mysql_db,
            alertAccount:
              Monitor.alert_user === ''
                ? undefined
                : Object.freeze({ user: Monitor.alert_user, password: Monitor.alert_pass }),
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
