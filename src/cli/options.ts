import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { NETWORK_CHOICES } from '../agent/network/source.ts';
import { parseDuration, parseTime, TimeError } from '../client/time.ts';
import { type Config, loadConfig } from '../config.ts';
import { Problem } from '../problem.ts';
import { tokenFile } from '../server/auth.ts';
import { say } from './failure.ts';
import { ownPin, pinOption, requireTls } from './pin.ts';
import { VERSION } from './version.ts';

/** `conf/config.ini` beside the code, in the checkout and in the package alike. */
const DEFAULT_CONFIG = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../conf/config.ini' : '../conf/config.ini', import.meta.url),
);

/** A sub-command with what all of them have: `--config`, `--help`, `--version`, and errors that are thrown. */
export function subCommand(name: string, description: string): Command {
  return new Command(`procmesh ${name}`)
    .description(description)
    .version(VERSION, '-V, --version')
    .option('--config <file>', 'configuration file', DEFAULT_CONFIG)
    .configureOutput({ outputError: () => undefined })
    .exitOverride();
}

/** Reads the configuration and says on standard error what in it means nothing. @throws Problem */
export function configure(options: { config: string }): Config {
  const { config, warnings } = loadConfig(options.config, process.env);
  for (const warning of warnings) say(`warning: ${warning}`);
  return config;
}

export interface ViewerOptions {
  config: string;
  server?: string;
  tokenFile?: string;
  pin?: string;
}

/** Adds the choice of a server to a viewer's command. */
export function viewerCommand(name: string, description: string): Command {
  return subCommand(name, description)
    .option('--server <url>', 'server to ask, wss://HOST:PORT (default: the one of the configuration)', serverUrl)
    .option('--token-file <file>', "file with the viewers' token (default: viewer.token in the data folder)")
    .addOption(pinOption());
}

export type OperatorOptions = ViewerOptions;

/** Adds the choice of a server to an operator's command. */
export function operatorCommand(name: string, description: string): Command {
  return subCommand(name, description)
    .option('--server <url>', 'server to tell, wss://HOST:PORT (default: the one of the configuration)', serverUrl)
    .option('--token-file <file>', "file with the operators' token (default: operator.token in the data folder)")
    .addOption(pinOption());
}

/** The choice of a rung of the network ladder, of an agent and of who starts one. */
export function netOption(): Option {
  return new Option('--net <source>', "where figures of processes' network come from")
    .choices(NETWORK_CHOICES)
    .default('auto');
}

export interface Target {
  url: string;
  token: string;
  pin: string | undefined;
}

/** Where a viewer's command connects, and as whom. @throws Problem when there is no token. */
export function viewerTarget(options: ViewerOptions): Target {
  return target('viewer', options);
}

/** Where an operator's command connects, and as whom. @throws Problem when there is no token. */
export function operatorTarget(options: OperatorOptions): Target {
  return target('operator', options);
}

function target(role: 'viewer' | 'operator', options: ViewerOptions): Target {
  const { server, tokenFile: file, pin } = options;
  if (server !== undefined) requireTls([server], pin);
  // Whoever looks from afar needs no configuration.
  if (server !== undefined && file !== undefined) return { url: server, token: readToken(file), pin };
  const config = configure(options);
  return {
    url: server ?? serverAddress(config),
    token: readToken(file ?? tokenFile(config.dataDir, role)),
    pin: pin ?? (server === undefined ? ownPin(config) : undefined),
  };
}

/** Where this machine itself reaches the server of its configuration. */
export function serverAddress({ listen: { host, port }, tls }: Pick<Config, 'listen' | 'tls'>): string {
  const reachable = { '': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
  const authority = `${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
  return `${tls === 'off' ? 'ws' : 'wss'}://${authority}`;
}

/** @throws Problem when the file is not there or cannot be read. */
export function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const mend =
      code === 'EACCES'
        ? 'run as the user who runs the server, or name another with --token-file'
        : 'start a server first (procmesh start), or name one with --token-file';
    throw new Problem('ERR_TOKEN', `the token ${file} cannot be read (${code}): ${mend}`, { cause });
  }
}

/** Parser of a `--server` option. */
export function serverUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'ws:' || url?.protocol === 'wss:') return url.href;
  throw new InvalidArgumentError('It takes a URL such as wss://10.0.0.5:9300.');
}

/** Parser of an option that takes a whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It takes a whole number from ${min} to ${max}.`);
  };
}

/** An option that takes a moment of the past. */
export function atOption(meaning: string): Option {
  return new Option('--at <time>', `${meaning}: 03:12, "yesterday 03:12", -15m, 2026-11-22T03:12:00Z`).argParser(
    (text) => argument(() => parseTime(text, Date.now())),
  );
}

/** An option that takes how much history up to `--at` is averaged. */
export function windowOption(): Option {
  return new Option('--window <duration>', 'average over this long up to --at: 10m').argParser((text) =>
    argument(() => parseDuration(text)),
  );
}

function argument(parse: () => number): number {
  try {
    return parse();
  } catch (error) {
    throw error instanceof TimeError ? new InvalidArgumentError(error.message) : error;
  }
}
