import { KernelError } from '../kernel/libc.ts';

const AS_ROOT = 'run the agent as root (or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)';

/** What a code of the kernel means wherever it comes from. */
const WAYS: { readonly [code: string]: string } = {
  EPERM: AS_ROOT,
  EACCES: AS_ROOT,
  ENOSYS: 'this kernel was built without it',
};

/** Why something is not to be had, in one line, with the way to mend it; `ways` says what some codes mean here. */
export function refusalOf(error: unknown, ways: { readonly [code: string]: string } = {}): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  const way = error instanceof KernelError ? (ways[error.code] ?? WAYS[error.code]) : undefined;
  return way === undefined ? line : `${line}; ${way}`;
}
