import { join } from 'node:path';
import { Option } from 'commander';
import { Agent } from '../agent/agent.ts';
import { openKernelAccess } from '../agent/kernel-access.ts';
import type { ListeningPorts } from '../agent/network/sockets.ts';
import type { NetworkChoice } from '../agent/network/source.ts';
import { selfTest } from '../agent/self-test.ts';
import { openSources, type Sources } from '../agent/sources.ts';
import { launcherPid, restart } from '../agent/upgrade/restart.ts';
import { acquireLock } from '../lock.ts';
import { createLogger } from '../logger.ts';
import { Problem } from '../problem.ts';
import { hostOfToken, tokenFile } from '../server/auth.ts';
import { type AgentSetup, deployedSetup, removePid, writePid } from './deployed.ts';
import { configure, netOption, readToken, serverAddress, serverUrl, subCommand } from './options.ts';
import { ownPin, pinOption, requireTls } from './pin.ts';
import { tellReady, untilToldToStop } from './stop.ts';
import { VERSION } from './version.ts';

interface AgentOptions {
  config: string;
  server?: string[];
  host?: string;
  pin?: string;
  tokenFile?: string;
  net: NetworkChoice;
  deployed?: string;
  selfTest?: true;
}

/** `procmesh agent`: samples this machine until it is told to stop. */
export async function run(args: readonly string[]): Promise<void> {
  const options = subCommand('agent', 'An agent for this machine.')
    .option(
      '--server <urls>',
      'servers to report to, wss://HOST:PORT,… (default: the one of the configuration)',
      (text) => text.split(',').map(serverUrl),
    )
    .option('--host <name>', 'what this machine is called (default: as its token says)')
    .option('--token-file <file>', "file with this host's token (default: agent.token in the data folder)")
    .addOption(pinOption())
    .addOption(netOption())
    .addOption(new Option('--deployed <folder>', 'as a server has set it up in a folder of this host').hideHelp())
    .addOption(new Option('--self-test', 'show that it would work here, beside the one that does').hideHelp())
    .parse([...args], { from: 'user' })
    .opts<AgentOptions>();
  const setup = options.deployed === undefined ? configuredSetup(options) : deployedSetup(options.deployed);
  process.title = 'procmesh-agent';
  const kernel = openKernelAccess();
  const machine = {
    servers: setup.servers,
    token: () => readToken(setup.tokenFile),
    pin: setup.pin,
    procRoot: '/proc',
    sysRoot: '/sys',
    passwdPath: '/etc/passwd',
    kernel,
  };
  const sourcesOf = (ports: ListeningPorts): Sources =>
    openSources({ net: options.net, procRoot: '/proc', sysRoot: '/sys', ownPid: process.pid, ports, kernel });
  if (options.selfTest) return selfTest({ ...machine, openSources: sourcesOf });
  const dataDir = join(setup.dataDir, 'agent');
  const lock = acquireLock(join(dataDir, 'lock'), 'a procmesh agent');
  const logger = createLogger({ file: setup.logFile, maxBytes: setup.logBytes });
  let agent: Agent;
  try {
    agent = new Agent({
      ...machine,
      host: setup.host,
      version: setup.version,
      alerts: setup.alerts,
      dataDir,
      upgrades: setup.installed && { ...setup.installed, launcherPid },
      openSources: (ports) => {
        const sources = sourcesOf(ports);
        for (const refusal of Object.values(sources.refusals).flat()) logger.warn(refusal);
        return sources;
      },
    });
  } catch (cause) {
    throw new Problem(
      'ERR_DATA_DIR',
      `${dataDir} cannot be used (${cause instanceof Error ? cause.message : cause}): set [global] data_dir`,
      { exitCode: 2, cause },
    );
  }
  agent.on('status', (status, server) => {
    if (status.state === 'open') logger.info({ server }, 'connected');
    else if (status.state === 'refused') logger.error({ ...status, server }, 'refused');
    else if (status.state === 'lost') logger.warn({ ...status, server }, 'not connected');
  });
  agent.on('alone', (sinceMs, servers) =>
    logger.error({ since: new Date(sinceMs).toISOString(), servers }, 'no server can be reached'),
  );
  agent.on('reachedAgain', () => logger.info('a server is reached again'));
  agent.on('trouble', (error) => logger.warn({ err: error }, error.message));
  const retired = new Promise<string>((resolve) => {
    agent.on('retired', (reason) => {
      logger.info({ reason }, 'retired: it ends for good');
      resolve(reason);
    });
  });
  agent.on('upgraded', (upgraded) => logger.info(upgraded, 'upgrade'));
  let isReplaced = false;
  const replaced = new Promise<string>((resolve) => {
    agent.on('replaced', () => {
      isReplaced = true;
      resolve('replaced');
    });
  });
  agent.start();
  if (setup.pidFile !== undefined) writePid(setup.pidFile);
  tellReady(0);
  await untilToldToStop(undefined, Promise.race([retired, replaced]));
  agent.stop();
  lock.release();
  if (isReplaced && setup.installed !== undefined) restart(setup.installed.installation);
  if (setup.pidFile !== undefined) removePid(setup.pidFile);
}

/** Of an agent that is started by hand, or by `procmesh start`. @throws Problem */
function configuredSetup(options: AgentOptions): AgentSetup {
  const config = configure(options);
  const servers = options.server ?? [serverAddress(config)];
  requireTls(servers, options.pin);
  const file = options.tokenFile ?? tokenFile(config.dataDir, 'agent');
  return {
    host: hostOf(file, options.host),
    version: config.version || VERSION,
    servers,
    tokenFile: file,
    // That of this machine's server may be renewed.
    pin: () => options.pin ?? (options.server === undefined ? ownPin(config) : undefined),
    alerts: undefined,
    dataDir: config.dataDir,
    logFile: config.logFile,
    logBytes: config.logBytes,
    pidFile: undefined,
    installed: undefined,
  };
}

/** @throws Problem when the token is not there, is none, or is for another host than is wanted. */
function hostOf(file: string, wanted: string | undefined): string {
  const host = hostOfToken(readToken(file));
  if (host !== undefined && (wanted ?? host) === host) return host;
  const what = host === undefined ? 'holds no token of an agent' : `holds the token of ${host}, not of ${wanted}`;
  throw new Problem('ERR_TOKEN', `${file} ${what}: name the file of this host's token with --token-file`, {
    exitCode: 2,
  });
}
