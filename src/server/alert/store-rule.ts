import { duration } from './book.ts';
import type { Verdict } from './verdict.ts';

/** Most of what a store cannot do at the moment it can do soon after. */
const TOLERATED_MS = 10_000;

/** Whether history can be stored. @param failingMs how long nothing could be; undefined: it can. */
export function judgeStore(server: string, failing: { forMs: number; reason: string } | undefined): Verdict[] {
  const of = { host: server, kind: 'store' } as const;
  if (failing === undefined) return [{ ...of, isWell: true, text: 'history is stored again' }];
  if (failing.forMs < TOLERATED_MS) return [];
  return [{ ...of, isWell: false, text: `history cannot be stored for ${duration(failing.forMs)}: ${failing.reason}` }];
}
