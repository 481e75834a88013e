/** Soft limit of open files in /proc/self/limits: `Max open files            1024                 524288               files`. */
export function parseMaxOpenFiles(text: string): number | undefined {
  const soft = /^Max open files +(\S+)/m.exec(text)?.[1];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}
