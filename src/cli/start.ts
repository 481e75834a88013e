import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NetworkChoice } from '../agent/network/source.ts';
import { Client } from '../client/client.ts';
import { Problem } from '../problem.ts';
import { ensureSecrets } from '../server/auth.ts';
import { AGENT_ENVIRONMENT, AGENT_NODE_OPTIONS } from '../server/release/agent-process.ts';
import { AGENT_FILE, makeRelease } from '../server/release/agent-release.ts';
import { foreignFolderOf } from '../server/release/releases.ts';
import { Child } from './child.ts';
import { configure, netOption, serverAddress, subCommand } from './options.ts';
import { ownPin } from './pin.ts';
import { untilToldToStop } from './stop.ts';

interface StartOptions {
  config: string;
  tui: boolean;
  net: NetworkChoice;
}

/** `procmesh start`: server, store, agent and terminal UI on this machine, each a process of its own, until `q` or a signal. */
export async function run(args: readonly string[]): Promise<void> {
  const options = subCommand(
    'start',
    'Server, store, agent and terminal UI on this machine; q or Ctrl-C ends all of it.',
  )
    .option('--no-tui', 'run on without the terminal UI, and log')
    .addOption(netOption())
    .parse([...args], { from: 'user' })
    .opts<StartOptions>();
  const config = configure(options);
  process.title = 'procmesh';
  const { viewer: token } = ensureSecrets(config.dataDir, hostname());
  const withTui = options.tui && Boolean(process.stdin.isTTY && process.stdout.isTTY);
  const logFile = config.logFile === '' && withTui ? join(config.dataDir, 'procmesh.log') : config.logFile;
  const common = ['--config', options.config];
  // All that it serves is on this machine.
  const host = config.listen.host || '127.0.0.1';

  const server = new Child({
    name: 'server',
    args: [mainFile(), 'server', '--with-agent', ...common],
    environment: { PROCMESH_GLOBAL_LOG_FILE: logFile, PROCMESH_SERVER_LISTEN: `${host}:${config.listen.port}` },
    echo: !withTui,
  });
  let agent: Child | undefined;
  try {
    const [{ port }, bundle] = await Promise.all([server.start(), agentBundle(config.dataDir)]);
    // A server that has to be started again must be found where the first one was.
    const PROCMESH_SERVER_LISTEN = `${host}:${port}`;
    server.environment.PROCMESH_SERVER_LISTEN = PROCMESH_SERVER_LISTEN;
    agent = new Child({
      name: 'agent',
      args: [...AGENT_NODE_OPTIONS, bundle, ...common, '--net', options.net],
      environment: { ...AGENT_ENVIRONMENT, PROCMESH_GLOBAL_LOG_FILE: agentLogFile(logFile), PROCMESH_SERVER_LISTEN },
      echo: !withTui,
      mayEnd: true,
    });
    await agent.start();
    if (!withTui) {
      await untilToldToStop();
      return;
    }
    const { runTui } = await import('../../tui/tui.ts');
    const client = new Client({
      url: serverAddress({ ...config, listen: { host, port } }),
      token,
      pin: ownPin(config),
    });
    await Promise.race([runTui({ client }), untilToldToStop()]);
  } finally {
    await Promise.all([agent?.stop(), server.stop()]);
  }
}

/** Beside the server's: two programs cannot rotate one file. */
function agentLogFile(serverLogFile: string): string {
  return serverLogFile === '' ? '' : join(dirname(serverLogFile), `agent-${basename(serverLogFile)}`);
}

function mainFile(): string {
  return fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : './main.js', import.meta.url));
}

/** The agent that runs here is the very release that is deployed elsewhere, in a folder of its own. */
async function agentBundle(dataDir: string): Promise<string> {
  const folder = join(dataDir, 'release', 'here');
  try {
    await makeRelease(folder, process.arch, foreignFolderOf(dataDir, process.arch));
    return join(folder, AGENT_FILE);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n').at(-1) : cause;
    throw new Problem(
      'ERR_BUNDLE',
      `the agent's bundle in ${folder} cannot be made (${reason}): make room, or set [global] data_dir`,
      { cause },
    );
  }
}
