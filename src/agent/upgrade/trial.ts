import { readFileSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { linkDurably, removeDurably, writeDurably } from './durable.ts';
import { type Installation, RELEASE } from './installation.ts';
import { UpgradeError } from './upgrade-error.ts';

/**
 * A release that is started and not confirmed yet. Its file is there exactly so long, and whoever starts an agent while
 * it is takes the trial back first: the launcher, so that a release can be no worse than a restart.
 */
export interface Trial {
  hash: string;
  /** The release to go back to. */
  previous: string;
  seconds: number;
  serial: number;
}

/** `NEWHASH OLDHASH SECONDS SERIAL` */
const LINE = /^([0-9a-f]{64}) ([0-9a-f]{64}) (\d{1,5}) (\d{1,15})$/;

/** @returns undefined when there is none. */
export function readTrial({ trial }: Installation): Trial | undefined {
  return parse(linesOf(trial)[0]);
}

/** @returns the last release that this host went back from, and why. */
export function readFailure({ failed }: Installation): { serial: number; reason: string } | undefined {
  const [line, ...said] = linesOf(failed);
  const trial = parse(line);
  const reason = said.join(' ').trim().slice(0, 500) || 'it does not say why';
  return trial && { serial: trial.serial, reason };
}

/** From here on every start of the agent is one of the new release, and the next one but one of the old. */
export async function beginTrial(installation: Installation, trial: Trial): Promise<void> {
  await removeDurably(installation.failed);
  await writeDurably(installation.trial, `${format(trial)}\n`);
  await linkDurably(installation.current, join('releases', trial.hash));
}

/** The new release stays. */
export async function endTrial({ trial }: Installation): Promise<void> {
  await removeDurably(trial);
}

/**
 * What the launcher does when an agent dies in its trial; each step can be repeated.
 * @throws UpgradeError when the release before is not there any more.
 */
export async function takeBack(installation: Installation, trial: Trial, reason: string): Promise<void> {
  const { releases, current, failed } = installation;
  try {
    await access(join(releases, trial.previous, RELEASE.agent));
  } catch (cause) {
    throw new UpgradeError('the release before is not there any more', { cause });
  }
  await linkDurably(current, join('releases', trial.previous));
  await writeDurably(failed, `${format(trial)}\n${reason.replace(/\s+/g, ' ')}\n`);
  await removeDurably(installation.trial);
}

function format({ hash, previous, seconds, serial }: Trial): string {
  return `${hash} ${previous} ${seconds} ${serial}`;
}

function parse(line = ''): Trial | undefined {
  const [, hash, previous, seconds, serial] = LINE.exec(line) ?? [];
  if (hash === undefined || previous === undefined) return undefined;
  return { hash, previous, seconds: Number(seconds), serial: Number(serial) };
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
