import { hostname } from 'node:os';
import { join } from 'node:path';
import { Agent } from '../agent/agent.ts';
import { openKernelAccess } from '../agent/kernel-access.ts';
import type { NetworkChoice } from '../agent/network/source.ts';
import { openSources } from '../agent/sources.ts';
import { acquireLock } from '../lock.ts';
import { createLogger } from '../logger.ts';
import { Problem } from '../problem.ts';
import { tokenFile } from '../server/auth.ts';
import { configure, netOption, readToken, serverAddress, serverUrl, subCommand } from './options.ts';
import { tellReady, untilToldToStop } from './stop.ts';
import { VERSION } from './version.ts';

interface AgentOptions {
  config: string;
  server?: string[];
  host: string;
  tokenFile?: string;
  net: NetworkChoice;
}

/** `procmesh agent`: samples this machine until it is told to stop. */
export async function run(args: readonly string[]): Promise<void> {
  const options = subCommand('agent', 'An agent for this machine.')
    .option(
      '--server <urls>',
      'servers to report to, ws://HOST:PORT,… (default: the one of the configuration)',
      (text) => text.split(',').map(serverUrl),
    )
    .option('--host <name>', 'what this machine is called', hostname())
    .option('--token-file <file>', "file with the agents' token (default: agent.token in the data folder)")
    .addOption(netOption())
    .parse([...args], { from: 'user' })
    .opts<AgentOptions>();
  const config = configure(options);
  process.title = 'procmesh-agent';
  const file = options.tokenFile ?? tokenFile(config.dataDir, 'agent');
  readToken(file);
  const dataDir = join(config.dataDir, 'agent');
  const lock = acquireLock(join(dataDir, 'lock'), 'a procmesh agent');
  const logger = createLogger({ file: config.logFile, maxBytes: config.logBytes });
  const kernel = openKernelAccess();
  let agent: Agent;
  try {
    agent = new Agent({
      host: options.host,
      version: config.version || VERSION,
      servers: options.server ?? [serverAddress(config.listen)],
      token: () => readToken(file),
      dataDir,
      procRoot: '/proc',
      sysRoot: '/sys',
      passwdPath: '/etc/passwd',
      kernel,
      openSources: (ports) => {
        const sources = openSources({
          net: options.net,
          procRoot: '/proc',
          sysRoot: '/sys',
          ownPid: process.pid,
          ports,
          kernel,
        });
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
  agent.start();
  tellReady(0);
  await untilToldToStop();
  agent.stop();
  lock.release();
}
