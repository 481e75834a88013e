/** A release is not taken, and why in plain words. */
export class UpgradeError extends Error {
  readonly code = 'ERR_UPGRADE';
  constructor(reason: string, options?: { cause: unknown }) {
    super(reason, options);
    this.name = 'UpgradeError';
  }
}

/** @returns one line for people. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'the disk of this host is full';
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').slice(0, 500);
}
