import { type Libc, openLibc } from '../kernel/libc.ts';

/** System calls by koffi, or why there are none. */
export type KernelAccess = { libc: Libc } | { libc: undefined; refusal: string };

/** Tries to load koffi; without it the agent works on, and sees less. */
export function openKernelAccess(open: () => Libc = openLibc): KernelAccess {
  try {
    return { libc: open() };
  } catch (error) {
    return { libc: undefined, refusal: `koffi cannot be loaded (${reason(error)}); npm ci installs it` };
  }
}

/** The first line, as Node.js lists where it looked for a module. */
function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const [message = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  return code === undefined || message.includes(code) ? message : code;
}
