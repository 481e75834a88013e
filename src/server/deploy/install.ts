import { Problem } from '../../problem.ts';
import { ARCHITECTURES, type Runtime } from '../release/runtime.ts';
import { activate, isRunning, usesSystemd } from './activate.ts';
import type { SshConnection } from './connection.ts';
import { copyLacking, dropPartial, lackOf } from './copy.ts';
import { type HostState, probe } from './probe.ts';
import { removeAll } from './remove.ts';
import { diskFull } from './script.ts';
import type { Target } from './target.ts';

/** glibc that Node.js is built for. */
const OLDEST_GLIBC = [2, 28] as const;
const OLDEST_NODE = 26;
/** A disk with less is full for a file of ours. */
const FULL_BYTES = 4 << 20;

/** @throws Problem when an agent cannot run there. Nothing has been changed on the host yet. */
export function checkHost(state: HostState, folder: string, node: string): void {
  if (node === '') checkRuntime(state);
  else checkNode(state, node);
  if (state.folder === 'foreign')
    throw new Problem(
      'ERR_DEPLOY_FOLDER',
      `${folder} there holds something that is not procmesh's: move it away, or set [global] script_dir to another folder`,
    );
  if (!state.isWritable)
    throw new Problem(
      'ERR_DEPLOY_RIGHTS',
      `${state.user} may not write ${folder} there: log in as root, or set [global] script_dir to a folder of that user`,
    );
  if (!usesSystemd(state) && !state.has.crontab)
    throw new Problem(
      'ERR_DEPLOY_SERVICE',
      `nothing there can keep an agent running: it has no crontab, and ${state.has.systemd ? `${state.user} is not root, as systemd wants` : 'no systemd'}: install cron`,
    );
}

function checkRuntime({ machine, architecture, libc }: HostState): void {
  if (architecture === undefined)
    throw new Problem(
      'ERR_DEPLOY_ARCHITECTURE',
      `it is a machine of kind ${machine}, and procmesh has runtimes for ${ARCHITECTURES.join(' and ')} alone: set [CLIENT] node to a Node.js ${OLDEST_NODE} there`,
    );
  const own = `install a Node.js ${OLDEST_NODE} there that runs with it, and set [CLIENT] node`;
  if (libc.kind === 'other')
    throw new Problem('ERR_DEPLOY_LIBC', `it has ${libc.name} for its libc, and our runtime wants glibc: ${own}`);
  const [major, minor] = libc.version;
  if (major < OLDEST_GLIBC[0] || (major === OLDEST_GLIBC[0] && minor < OLDEST_GLIBC[1]))
    throw new Problem(
      'ERR_DEPLOY_LIBC',
      `it has glibc ${libc.version.join('.')}, and our runtime wants ${OLDEST_GLIBC.join('.')}: ${own}`,
    );
}

function checkNode({ nodeVersion = '' }: HostState, node: string): void {
  const major = Number(/^v(\d+)\./.exec(nodeVersion)?.[1] ?? 0);
  if (major >= OLDEST_NODE) return;
  const said = major === 0 ? `does not run (${nodeVersion})` : `is ${nodeVersion}`;
  throw new Problem(
    'ERR_DEPLOY_NODE',
    `${node} there ${said}: [CLIENT] node must name a Node.js from ${OLDEST_NODE} on`,
  );
}

/**
 * Brings a host from what it has to what it is to have; where that is the same, nothing is done. When it fails, the host
 * is as it was before, except where the connection is lost: then the next attempt takes away what was left.
 * @param compressed gives a file with the runtime compressed by gzip.
 */
export async function install(
  connection: SshConnection,
  state: HostState,
  target: Target,
  compressed: (runtime: Runtime) => Promise<string>,
  onPhase: (phase: string) => void,
): Promise<void> {
  const lack = lackOf(state, target);
  try {
    if (lack.runtime !== undefined || lack.release !== undefined) {
      onPhase(lack.runtime === undefined ? 'copying the agent' : 'copying runtime and agent');
      await copyLacking(connection, state, target, lack, compressed);
    }
    if (lack.runtime === undefined && isRunning(state, target)) return;
    onPhase('starting the agent');
    await activate(connection, state, target);
  } catch (error) {
    const reason = await explained(connection, target, error);
    await undo(connection, state, target).catch(() => undefined);
    throw reason;
  }
}

/** SFTP does not say why a file cannot be written. */
async function explained(connection: SshConnection, target: Target, error: unknown): Promise<unknown> {
  if (!(error instanceof Problem && error.code === 'ERR_DEPLOY_WRITE')) return error;
  const { freeBytes } = await probe(connection, { folder: target.folder, node: '', runtime: '', files: [] });
  return freeBytes < FULL_BYTES ? diskFull(`it has ${Math.floor(freeBytes / 1e6)} MB left`) : error;
}

async function undo(connection: SshConnection, before: HostState, { folder }: Target): Promise<void> {
  if (before.folder === 'ours') await dropPartial(connection, folder);
  else await removeAll(connection, await probe(connection, { folder, node: '', runtime: '', files: [] }), folder);
}
