import { CommanderError } from 'commander';
import { Problem } from '../problem.ts';

/** One line on standard error and the exit code of the contract: 0 done, 1 failed, 2 wrong usage or configuration. */
export function reportFailure(error: unknown): void {
  if (error instanceof CommanderError) {
    // Help and version are no failures, and are already printed.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
    if (error.exitCode !== 0 && error.code !== 'commander.help')
      say(`${error.message.replace(/^error: /, '')} (see procmesh --help)`);
    return;
  }
  if (error instanceof Problem) {
    process.exitCode = error.exitCode;
    say(error.message);
    return;
  }
  process.exitCode = 1;
  say(`${error instanceof Error ? error.message : String(error)}: this is a fault in procmesh`);
}

/** For people, on standard error. */
export function say(text: string): void {
  process.stderr.write(`procmesh: ${text.replace(/\s*\n\s*/g, ' ')}\n`);
}
