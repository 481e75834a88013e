import { KernelError, type Libc } from '../../kernel/libc.ts';
import { TcpDestroyed, TcpDump, type TcpSocket } from '../../kernel/sock-diag.ts';

/**
 * The TCP connections of this network namespace and their counters. A socket that is handed out is valid only until the
 * next one is.
 */
export interface TcpTable {
  /** Hands out the connections there are. @returns false when some may be missing, also when none were to be had. */
  poll(visit: (socket: TcpSocket) => void): boolean;
  /** To be called after `poll`: hands out sockets destroyed since the last time, with their last counters. */
  destroyed(visit: (socket: TcpSocket) => void): void;
  /** What fails here, in plain words. */
  readonly limitation: string | undefined;
  close(): void;
}

/** The kernel's own answers. */
export class SockDiagTable implements TcpTable {
  readonly #dump: TcpDump;
  #events: TcpDestroyed | undefined;
  #overruns = 0;
  #dumpFailure: string | undefined;
  #eventsFailure: string | undefined;

  /** `queueBytes` as for `TcpDestroyed`. Never throws: what fails is told by `limitation`. */
  constructor(libc: Libc, queueBytes?: number) {
    this.#dump = new TcpDump(libc);
    try {
      this.#events = new TcpDestroyed(libc, queueBytes);
    } catch (error) {
      this.#eventsFailure = refusal(error);
    }
  }

  poll(visit: (socket: TcpSocket) => void): boolean {
    try {
      const isWhole = this.#dump.each(visit);
      this.#dumpFailure = undefined;
      return isWhole;
    } catch (error) {
      this.#dumpFailure = refusal(error);
      return false;
    }
  }

  destroyed(visit: (socket: TcpSocket) => void): void {
    try {
      this.#overruns += this.#events?.drain(visit) ?? 0;
    } catch (error) {
      this.#eventsFailure = refusal(error);
      this.#events?.close();
      this.#events = undefined;
    }
  }

  get limitation(): string | undefined {
    const said = [
      this.#dumpFailure !== undefined && `TCP connections cannot be listed (${this.#dumpFailure})`,
      this.#eventsFailure !== undefined && `connections shorter than a sample are not counted (${this.#eventsFailure})`,
      this.#overruns > 0 && `connections closed faster than they could be counted, ${this.#overruns} times`,
    ].filter((part) => part !== false);
    return said.length > 0 ? said.join('; ') : undefined;
  }

  close(): void {
    this.#dump.close();
    this.#events?.close();
    this.#events = undefined;
  }
}

function refusal(error: unknown): string {
  if (!(error instanceof KernelError)) throw error;
  return error.message;
}
