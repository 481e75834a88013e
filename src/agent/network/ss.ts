import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { TcpSocket } from '../../kernel/sock-diag.ts';
import { parseSsLine } from './ss-line.ts';
import type { TcpTable } from './tcp-table.ts';

const FIELDS = '-tienOH';
/** Ten thousand connections take a tenth of a second; who has not answered by then never will. */
const DEADLINE_MS = 10_000;
/** Some 600 bytes per connection. */
const MAX_OUTPUT_BYTES = 67_108_864;
/** Destroyed sockets that wait to be asked for; what comes after that many is lost, and said. */
const MAX_WAITING = 65_536;
const FIRST_RESTART_MS = 1_000;
const LAST_RESTART_MS = 60_000;

export interface SsOptions {
  /** The program. */
  ss?: string;
  deadlineMs?: number;
  maxOutputBytes?: number;
  maxWaiting?: number;
  firstRestartMs?: number;
}

/**
 * What Debian's `ss` (package iproute2) says, where the kernel cannot be asked directly. It takes its time, so each poll
 * hands out what was asked for at the poll before, and one `ss` runs at a time. Beside it, `ss -E` runs all the time and
 * tells of sockets as they are destroyed.
 */
export class SsTable implements TcpTable {
  readonly #options: Required<SsOptions>;
  readonly #destroyed: TcpSocket[] = [];
  #listed: TcpSocket[] | undefined;
  #listing: ChildProcess | undefined;
  #events: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #restartMs: number;
  #listingFailure: string | undefined;
  #eventsFailure: string | undefined;
  #interruptions = 0;
  #lost = 0;
  /** A listing was still under way at the last poll. */
  #isLate = false;
  #isMissing = false;
  #isClosed = false;

  constructor(options: SsOptions = {}) {
    this.#options = {
      ss: 'ss',
      deadlineMs: DEADLINE_MS,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      maxWaiting: MAX_WAITING,
      firstRestartMs: FIRST_RESTART_MS,
      ...options,
    };
    this.#restartMs = this.#options.firstRestartMs;
    this.#listen();
  }

  poll(visit: (socket: TcpSocket) => void): boolean {
    this.#isLate = this.#listing !== undefined;
    if (this.#isLate || this.#isMissing || this.#isClosed) return false;
    const listed = this.#listed;
    this.#listed = undefined;
    this.#list();
    if (listed === undefined) return false;
    for (const socket of listed) visit(socket);
    return true;
  }

  /** A table still to come may show sockets that have been destroyed since, so their end is not told before it. */
  destroyed(visit: (socket: TcpSocket) => void): void {
    if (this.#isLate) return;
    for (const socket of this.#destroyed.splice(0)) visit(socket);
  }

  get limitation(): string | undefined {
    if (this.#isMissing) return 'TCP connections are not attributed (ss of the package iproute2 is missing)';
    const said = [
      'bytes are shown a sample late',
      this.#listingFailure !== undefined && `TCP connections cannot be listed (${this.#listingFailure})`,
      this.#eventsFailure !== undefined && `connections shorter than a sample are not counted (${this.#eventsFailure})`,
      this.#interruptions > 0 && `closed connections were missed, ${this.#interruptions} times`,
      this.#lost > 0 && `${this.#lost} connections closed faster than they could be counted`,
    ];
    return said.filter((part) => part !== false).join('; ');
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    this.#listing?.kill('SIGKILL');
    this.#events?.kill('SIGKILL');
  }

  #list(): void {
    const { ss, deadlineMs, maxOutputBytes } = this.#options;
    const sockets: TcpSocket[] = [];
    let outputBytes = 0;
    let failure: string | undefined;
    const stop = (reason: string): void => {
      failure ??= reason;
      child.kill('SIGKILL');
    };
    const child = run(
      ss,
      [FIELDS],
      (line) => {
        outputBytes += line.length;
        if (outputBytes > maxOutputBytes) stop(`ss said more than ${maxOutputBytes} bytes`);
        const socket = failure === undefined ? parseSsLine(line) : undefined;
        if (socket !== undefined) sockets.push(socket);
      },
      (ending) => {
        clearTimeout(deadline);
        this.#listing = undefined;
        this.#isMissing = ending === 'missing';
        this.#listingFailure = failure ?? (ending && `ss: ${ending}`);
        if (this.#listingFailure === undefined) this.#listed = sockets;
      },
    );
    const deadline = setTimeout(stop, deadlineMs, `ss took longer than ${deadlineMs / 1_000} s`);
    this.#listing = child;
  }

  #listen(): void {
    // A pipe makes ss keep what it says until there are 4 KB of it; stdbuf talks it out of that. An agent that is killed
    // cannot end it, and where nothing is destroyed ss would not notice; so setpriv has the kernel do it. Each becomes
    // the next, in the same process.
    this.#events = run(
      'setpriv',
      ['--pdeathsig', 'KILL', 'stdbuf', '-oL', this.#options.ss, '-E', FIELDS],
      (line) => {
        this.#eventsFailure = undefined;
        this.#restartMs = this.#options.firstRestartMs;
        const socket = parseSsLine(line);
        if (socket === undefined) return;
        if (this.#destroyed.length < this.#options.maxWaiting) this.#destroyed.push(socket);
        else this.#lost += 1;
      },
      (ending) => {
        this.#events = undefined;
        if (this.#isClosed || this.#isMissing) return;
        this.#interruptions += 1;
        this.#eventsFailure =
          ending === 'missing' ? 'setpriv of the package util-linux is missing' : `ss -E: ${ending}`;
        this.#restart = setTimeout(() => this.#listen(), Math.random() * this.#restartMs).unref();
        this.#restartMs = Math.min(LAST_RESTART_MS, this.#restartMs * 2);
      },
    );
  }
}

/** Starts a program; `ended` is called once, with what went wrong: `missing`, or in words, or undefined when it ended well. */
function run(
  program: string,
  args: readonly string[],
  said: (line: string) => void,
  ended: (ending: string | undefined) => void,
): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let hasEnded = false;
  const end = (ending: string | undefined): void => {
    if (!hasEnded) ended(ending);
    hasEnded = true;
  };
  // Without descriptors left there is not even a pipe, nor will it be closed.
  const stdout: Readable | undefined = child.stdout;
  if (stdout !== undefined) eachLine(stdout, said);
  child.once('error', (error) => end('code' in error && error.code === 'ENOENT' ? 'missing' : error.message));
  // Comes when everything that was said has been read.
  child.once('close', (code, signal) => end(code === 0 ? undefined : `ended with ${code ?? signal}`));
  return child;
}

function eachLine(stream: Readable, found: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('latin1');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) found(line);
  });
}
