import { shortHash } from '../../protocol/release.ts';
import type { Rollout } from '../../store/rollout.ts';

/** The release that was done last before this one, and is another. @param all the newest first. */
export function releaseBefore(all: readonly Rollout[], rollout: Rollout): Rollout | undefined {
  return all.find(({ serial, state, hash }) => serial < rollout.serial && state === 'done' && hash !== rollout.hash);
}

/** Whether all hosts had it before: it is gone back to, by all at once and whatever becomes of one of them. */
export function isReturn(all: readonly Rollout[], rollout: Rollout): boolean {
  return all.some(({ serial, state, hash }) => serial < rollout.serial && state === 'done' && hash === rollout.hash);
}

/** What hosts that are new are deployed with: the newest release that all others have. @param all the newest first. */
export function releaseForNewHosts(all: readonly Rollout[]): Rollout | undefined {
  return all.find(({ state }) => state === 'done');
}

/** What all hosts had last, and what they had before that: either may be gone back to. @param all the newest first. */
export function lastDone(all: readonly Rollout[]): string[] {
  const done = all.filter(({ state }) => state === 'done').map(({ hash }) => hash);
  return [...new Set(done)].slice(0, 2);
}

/** `1.3`, and the hash where two bear that version. */
export function releaseName(all: readonly Rollout[], { version, hash }: Pick<Rollout, 'version' | 'hash'>): string {
  const isOne = all.every((other) => other.version !== version || other.hash === hash);
  return isOne ? version : `${version} (${shortHash(hash)})`;
}
