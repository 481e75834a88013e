import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openChannels } from '../alert-channel/open.ts';
import type { Config } from '../config.ts';
import { acquireLock } from '../lock.ts';
import { createLogger, type Logger } from '../logger.ts';
import { Problem } from '../problem.ts';
import type { Settings } from '../protocol/message.ts';
import { ensureSecrets } from '../server/auth.ts';
import { type Certificate, ensureCertificate, readCertificate } from '../server/certificate.ts';
import { HostList } from '../server/host-list.ts';
import { ensureReleaseKey } from '../server/release/release-key.ts';
import { Retention } from '../server/retention.ts';
import { lastDone, releaseForNewHosts } from '../server/rollout/lineage.ts';
import { Releasing } from '../server/rollout/releasing.ts';
import { RolloutList } from '../server/rollout/rollout-list.ts';
import { RolloutView } from '../server/rollout/status.ts';
import { Server } from '../server/server.ts';
import { MysqlStore } from '../store/mysql.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { createDeployer } from './deployer.ts';
import { createMesh, serverName } from './mesh.ts';
import { configure, serverAddress, subCommand } from './options.ts';
import { OpenedReleases } from './releases.ts';
import { tellReady, untilToldToStop } from './stop.ts';
import { VERSION } from './version.ts';

/** Making a release takes a second of CPU time, which the first frame of the terminal UI beside the server needs more. */
const RELEASE_AFTER_MS = 10_000;

/** `procmesh server`: runs until it is told to stop. */
export async function run(args: readonly string[]): Promise<void> {
  const options = subCommand('server', 'The server that agents and viewers connect to.')
    .option('--with-agent', 'lists this machine, for an agent that is started beside the server')
    .parse([...args], { from: 'user' })
    .opts<{ config: string; withAgent?: boolean }>();
  const config = configure(options);
  process.title = 'procmesh-server';
  const secrets = ensureSecrets(config.dataDir, hostname());
  const releaseKey = ensureReleaseKey(config.dataDir);
  const certificate = await certificateOf(config);
  const lock = acquireLock(join(config.dataDir, 'server.lock'), 'a procmesh server');
  const logger = createLogger({ file: config.logFile, maxBytes: config.logBytes });
  const store =
    config.mysql === undefined
      ? await openSqliteStore(join(config.dataDir, 'procmesh.db'))
      : new MysqlStore(config.mysql);
  const hosts = new HostList(store.fleet);
  const rollouts = new RolloutList(store.rollouts);
  const releases = new OpenedReleases(config, releaseKey, async () => {
    await rollouts.refresh();
    return lastDone(rollouts.all());
  });
  let releaseSettings = config.release;
  const server = new Server({
    name: serverName(config),
    version: config.version || VERSION,
    listen: { ...config.listen, host: config.listen.host || '0.0.0.0' },
    settings: settingsOf(config),
    certificate,
    secrets,
    hostList: hosts,
    store,
    alerts: {
      fleet: store.fleet,
      list: hosts,
      channels: openChannels(config.alerts),
      saturation: config.alerts.saturation,
      rollouts: () => rollouts.all(),
    },
    rollouts: new RolloutView({ rollouts, hosts, waves: () => releaseSettings.waves }),
  });
  const onTrouble = (error: Error): void => logger.warn({ err: error }, error.message);
  server.on('trouble', onTrouble);
  const releasing = new Releasing({
    ...{ fleet: store.fleet, store: store.rollouts, hosts, rollouts, registry: server.registry, onTrouble },
    serverName: serverName(config),
    openSource: async () => {
      if (options.withAgent) await delay(RELEASE_AFTER_MS, undefined, { ref: false });
      return releases.get();
    },
    settings: () => releaseSettings,
    sampleMs: () => server.settings.sampleMs,
    onNews: (text) => logger.info(text),
  });
  const mesh = createMesh(config, {
    ...{ fleet: store.fleet, hosts, server, secrets, releaseKey, certificate, releasing, onTrouble },
    hasAgent: options.withAgent ?? false,
    deployer: createDeployer(config, {
      ...{ logger, releases },
      releaseForNewHosts: async () => {
        const source = await releases.get();
        const known = releaseForNewHosts(rollouts.all());
        return known !== undefined && source.has(known.hash) ? known : { ...source.own, serial: 0 };
      },
    }),
    duties: [
      new Retention({ store, keepMs: config.retentionMs, onTrouble }),
      ...(server.alerts === undefined ? [] : [server.alerts.duty]),
    ],
  });
  server.on('refused', (address, reason) => logger.warn({ address }, `refused: ${reason}`));
  server.on('connected', (host) => logger.info({ host }, 'agent connected'));
  server.on('disconnected', (host) => logger.info({ host }, 'agent disconnected'));
  server.on('alert', ({ host, kind, istate, remarks }) => {
    if (istate === 1) logger.warn({ host, kind }, remarks);
    else logger.info({ host, kind }, remarks);
  });
  try {
    await mesh.prepare();
    const port = await server.start();
    mesh.start();
    const history = config.mysql === undefined ? 'sqlite' : `mysql at ${config.mysql.host}:${config.mysql.port}`;
    const url = serverAddress({ ...config, listen: { ...config.listen, port } });
    logger.info({ url, pin: certificate?.fingerprint, dataDir: config.dataDir, history }, 'listening');
    if (certificate === undefined && !isLoopback(config.listen.host))
      logger.warn(
        'nothing is encrypted, tokens neither ([SERVER] tls = off): let only a proxy that does TLS reach this port',
      );
    tellReady(port);
    process.on('SIGHUP', async () => {
      releaseSettings = (await reread(options, server, logger))?.release ?? releaseSettings;
    });
    const signal = await untilToldToStop(['SIGINT', 'SIGTERM']);
    logger.info({ signal }, 'stopping');
  } catch (error) {
    if (error instanceof Problem) logger.error({ err: error }, error.message);
    throw error;
  } finally {
    await server.stop();
    await mesh.stop();
    await releases.close();
    await store.close();
    lock.release();
  }
}

/** @throws Problem when there is none that can be used. */
async function certificateOf({ tls, dataDir }: Config): Promise<Certificate | undefined> {
  if (tls === 'off') return undefined;
  if (tls === 'auto') return ensureCertificate(dataDir);
  return readCertificate(tls, 'set [SERVER] tls to PEM files of a certificate and its key, or to auto');
}

function isLoopback(host: string): boolean {
  return /^(127\.|::1$|localhost$)/.test(host);
}

/**
 * Thresholds, times and a renewed certificate are taken over at once; what a running server cannot change waits for the
 * next start. @returns undefined when it is wrong, and nothing was taken over.
 */
async function reread(options: { config: string }, server: Server, logger: Logger): Promise<Config | undefined> {
  try {
    const config = configure(options);
    const certificate = await certificateOf(config);
    server.changeSettings(settingsOf(config));
    server.alerts?.changeSaturation(config.alerts.saturation);
    if (certificate !== undefined) server.changeCertificate(certificate);
    logger.info({ pin: certificate?.fingerprint }, 'configuration read again');
    return config;
  } catch (error) {
    logger.error({ err: error }, `configuration left as it was: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

function settingsOf(config: Config): Settings {
  const { intervalMs, sampleMs, heartbeatMs, cpuBudgetPercent, mounts, rules } = config;
  return { intervalMs, sampleMs, heartbeatMs, cpuBudgetPercent, mounts: [...mounts], rules };
}
