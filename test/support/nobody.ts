/**
 * Runs a check without root's power to read everything. Only the effective user changes, and only for the time of the
 * call, so it has to be synchronous.
 */
export function asNobody(check: () => void): void {
  if (process.geteuid?.() !== 0) {
    check();
    return;
  }
  process.seteuid?.(65_534);
  try {
    check();
  } finally {
    process.seteuid?.(0);
  }
}
