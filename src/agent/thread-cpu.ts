/**
 * CPU time that this thread has used, ms. What a search costs is measured by it: on a busy machine the clock on the wall
 * also counts the time that others run.
 */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
