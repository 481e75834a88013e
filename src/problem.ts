/**
 * A failure the user can mend. The message is one plain line: what went wrong, where, and how to mend it.
 * The command line prints it as `procmesh: MESSAGE` and ends with `exitCode`; everything else is a bug and keeps its stack.
 */
export class Problem extends Error {
  /** Stable and machine-readable, `ERR_…`. */
  readonly code: string;
  /** 1: the work failed; 2: wrong usage or configuration. */
  readonly exitCode: 1 | 2;

  constructor(code: string, message: string, options: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'Problem';
    this.code = code;
    this.exitCode = options.exitCode ?? 1;
  }
}
