import { clean } from '../../tui/text.ts';
import { Problem } from '../problem.ts';
import { MAX_LIMIT, type Query } from '../protocol/query.ts';
import type { RolloutStatus } from '../protocol/release.ts';
import { ask, type RowsOrHosts } from './ask.ts';
import { formatJson } from './json.ts';
import type { Target } from './options.ts';
import { RolloutProgress } from './rollout-progress.ts';

export interface WatchOptions {
  json?: boolean | undefined;
  host?: string | undefined;
  /** Of the hosts that JSON names. */
  limit?: number;
}

export const NOTHING_RELEASED = 'nothing has been released yet';
/** By a watch for people: those that failed come first. */
const NAMED_HOSTS = 20;

/**
 * Shows how the newest rollout goes on until it is done. @throws Problem when it is halted, another one takes its place,
 * or the server is lost.
 */
export async function watchRelease(target: Target, { json, host, limit }: WatchOptions): Promise<void> {
  const progress = new RolloutProgress(process.stdout);
  let watched: RolloutStatus | undefined;
  try {
    await ask(target, releaseQuery({ host, limit: json ? limit : NAMED_HOSTS }), {
      watch: true,
      onAnswer: (answer) => {
        if (answer.type !== 'release') return;
        const { rollout } = answer;
        if (json) process.stdout.write(`${formatJson(releaseDocument(answer), { watch: true })}\n`);
        if (rollout !== undefined) {
          watched ??= rollout;
          requireProgress(watched, rollout);
          if (!json) progress.show(rollout);
        } else if (!json) process.stdout.write(`${NOTHING_RELEASED}\n`);
      },
      isLast: (answer) => answer.type === 'release' && (answer.rollout?.state ?? 'done') === 'done',
      whenLost: 'the rollout goes on: procmesh release --watch shows it again',
    });
  } finally {
    progress.close();
  }
}

export function releaseQuery({ host, limit = MAX_LIMIT }: Pick<WatchOptions, 'host' | 'limit'>): Query {
  return { view: 'release', sort: 'cpu', limit, ...(host !== undefined && { host }) };
}

/** Of `--json`; without `rollout` while nothing has been released. */
export function releaseDocument({ at, rollout }: Extract<RowsOrHosts, { type: 'release' }>): object {
  return { at, view: 'release', ...(rollout !== undefined && { rollout }) };
}

/** @throws Problem when the rollout that is watched will not be done any more. */
function requireProgress(watched: RolloutStatus, now: RolloutStatus): void {
  const why = now.reason === undefined ? '' : `: ${now.reason}`;
  if (now.serial !== watched.serial)
    throw new Problem('ERR_RELEASE', clean(`release ${watched.version} was overtaken by release ${now.version}${why}`));
  if (now.state === 'halted') throw new Problem('ERR_RELEASE', clean(`release ${now.version} halted${why}`));
}
