import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { command, type Installation } from './installation.ts';
import { UpgradeError } from './upgrade-error.ts';

const DEADLINE_MS = 20_000;
/** Whoever ends all that runs here, the machine or a launcher, ends this agent too within this time. */
const END_MS = 5_000;
/** Of the end of what it says. */
const MAX_SAID_LENGTH = 8_192;

/**
 * Has a release show in a process of its own that it loads, measures and reaches a server.
 * @throws UpgradeError when it does not, in its own words. The signal's reason.
 */
export async function runSelfTest(installation: Installation, release: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { node, args } = command(installation, release);
  const child = spawn(node, [...args, '--self-test'], {
    cwd: installation.folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-MAX_SAID_LENGTH);
  });
  let isLate = false;
  const kill = (): void => void child.kill('SIGKILL');
  const deadline = setTimeout(() => {
    isLate = true;
    kill();
  }, DEADLINE_MS);
  signal.addEventListener('abort', kill);
  try {
    const [code, killedBy] = await once(child, 'close');
    signal.throwIfAborted();
    if (killedBy === 'SIGTERM') await delay(END_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    if (isLate) throw new UpgradeError(`its self-test is not over after ${DEADLINE_MS / 1000} s`);
    if (code !== 0)
      throw new UpgradeError(`its self-test fails: ${reasonIn(said) ?? `it ends with ${killedBy ?? code}`}`);
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', kill);
  }
}

/** Its own last word, or the error in the stack that Node.js prints for it. */
function reasonIn(said: string): string | undefined {
  const lines = said.split('\n').map((line) => line.trim());
  const own = lines.findLast((line) => line.startsWith('procmesh: '))?.slice('procmesh: '.length);
  return own ?? lines.find((line) => /^(\w*Error\b|FATAL)/.test(line)) ?? lines.findLast((line) => line !== '');
}
