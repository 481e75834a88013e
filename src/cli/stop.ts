/**
 * Resolves with what told the process to stop: a signal, the end of the parent that started it with a channel, so that a
 * killed `start` leaves nothing behind, or what `otherwise` resolves with.
 */
export async function untilToldToStop(
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'],
  otherwise?: Promise<string>,
): Promise<string> {
  const told = await new Promise<string>((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve(signal));
    process.once('disconnect', () => resolve('end of parent'));
    void otherwise?.then(resolve);
  });
  // The channel to the parent would keep the process alive.
  if (process.connected) process.disconnect?.();
  return told;
}

/** Tells the parent, if there is one that listens, that this process works. */
export function tellReady(port: number): void {
  process.send?.({ port });
}
