import { Problem } from '../problem.ts';
import type { StoreErrorCode } from '../store/store.ts';

/** A store that answers so will answer otherwise by itself. */
const PASSING = new Set<string>([
  'ERR_STORE_AWAY',
  'ERR_STORE_SLOW',
  'ERR_STORE_BUSY',
  'ERR_STORE_LOCKED',
] satisfies StoreErrorCode[]);

export function isPassing(error: unknown): error is Problem {
  return error instanceof Problem && PASSING.has(error.code);
}
