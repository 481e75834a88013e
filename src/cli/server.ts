import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { acquireLock } from '../lock.ts';
import { createLogger, type Logger } from '../logger.ts';
import { Problem } from '../problem.ts';
import type { Settings } from '../protocol/message.ts';
import { ensureTokens } from '../server/auth.ts';
import { Server } from '../server/server.ts';
import { MysqlStore } from '../store/mysql.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { configure, serverAddress, subCommand } from './options.ts';
import { tellReady, untilToldToStop } from './stop.ts';
import { VERSION } from './version.ts';

/** `procmesh server`: runs until it is told to stop. */
export async function run(args: readonly string[]): Promise<void> {
  const options = subCommand('server', 'The server that agents and viewers connect to.')
    .parse([...args], { from: 'user' })
    .opts<{ config: string }>();
  const config = configure(options);
  process.title = 'procmesh-server';
  const tokens = ensureTokens(config.dataDir);
  const lock = acquireLock(join(config.dataDir, 'server.lock'), 'a procmesh server');
  const logger = createLogger({ file: config.logFile, maxBytes: config.logBytes });
  const store =
    config.mysql === undefined
      ? await openSqliteStore(join(config.dataDir, 'procmesh.db'))
      : new MysqlStore(config.mysql);
  const server = new Server({
    name: hostname(),
    version: config.version || VERSION,
    listen: { ...config.listen, host: config.listen.host || '127.0.0.1' },
    settings: settingsOf(config),
    retentionMs: config.retentionMs,
    tokens,
    store,
  });
  server.on('trouble', (error) => logger.warn({ err: error }, error.message));
  server.on('refused', (address, reason) => logger.warn({ address }, `refused: ${reason}`));
  server.on('connected', (host) => logger.info({ host }, 'agent connected'));
  server.on('disconnected', (host) => logger.info({ host }, 'agent disconnected'));
  try {
    const port = await server.start();
    const history = config.mysql === undefined ? 'sqlite' : `mysql at ${config.mysql.host}:${config.mysql.port}`;
    logger.info({ url: serverAddress({ ...config.listen, port }), dataDir: config.dataDir, history }, 'listening');
    tellReady(port);
    process.on('SIGHUP', () => reread(options, server, logger));
    const signal = await untilToldToStop(['SIGINT', 'SIGTERM']);
    logger.info({ signal }, 'stopping');
  } catch (error) {
    if (error instanceof Problem) logger.error({ err: error }, error.message);
    throw error;
  } finally {
    await server.stop();
    lock.release();
  }
}

/** Thresholds and times reach the agents at once; what a running server cannot change waits for the next start. */
function reread(options: { config: string }, server: Server, logger: Logger): void {
  try {
    server.changeSettings(settingsOf(configure(options)));
    logger.info('configuration read again');
  } catch (error) {
    logger.error({ err: error }, `configuration left as it was: ${error instanceof Error ? error.message : error}`);
  }
}

function settingsOf(config: Config): Settings {
  const { intervalMs, sampleMs, heartbeatMs, cpuBudgetPercent, mounts, rules } = config;
  return { intervalMs, sampleMs, heartbeatMs, cpuBudgetPercent, mounts: [...mounts], rules };
}
