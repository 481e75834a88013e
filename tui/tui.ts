import type { Answer, Client, ConnectionStatus, Subscription } from '../src/client/client.ts';
import type { Query } from '../src/protocol/query.ts';
import { initialModel, type Message } from './model.ts';
import { HOSTS_QUERY } from './query.ts';
import { openScreen, type Terminal } from './screen.ts';
import { update } from './update.ts';
import { view } from './view.ts';

/** At most twenty frames a second: nobody reads faster, and each costs the terminal's CPU too. */
const FRAME_MS = 50;
/** How often the age of the data is looked at. */
const CLOCK_MS = 1_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What the terminal UI needs of a `Client`. */
export interface TuiClient extends Pick<Client, 'connect' | 'subscribe' | 'close'> {
  on(event: 'status', listener: (status: ConnectionStatus) => void): unknown;
  off(event: 'status', listener: (status: ConnectionStatus) => void): unknown;
}

export interface TuiOptions {
  /** Not connected yet; it is connected and closed here. */
  client: TuiClient;
  /** A short line shown at the bottom, such as where the data is kept. */
  notice?: string;
  /** By default the terminal of this process. */
  terminal?: Terminal;
}

/**
 * Shows the fleet in the terminal until the user quits or the process is told to end (SIGINT, SIGTERM, SIGHUP).
 * Whatever the way out, the terminal is restored and the client closed before the promise settles; what to do with the
 * process is the caller's affair.
 * @throws what went wrong, if anything did.
 */
export function runTui({ client, notice, terminal = ownTerminal() }: TuiOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let processes: Subscription | undefined;
  let nextFrame: NodeJS.Timeout | undefined;
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  let isRunning = true;

  const screen = openScreen(terminal, {
    key: (key) => dispatch({ type: 'key', key }),
    resize: (columns, rows) => dispatch({ type: 'resize', columns, rows }),
    gone: () => end(),
  });
  const { columns, rows } = screen;
  let model = initialModel({ columns, rows, nowMs: performance.now(), ...(notice !== undefined && { notice }) });

  function dispatch(message: Message): void {
    if (!isRunning) return;
    try {
      const { model: next, commands } = update(model, message);
      model = next;
      for (const command of commands) {
        if (command.type === 'quit') end();
        else ask(command.query);
      }
      if (!isRunning) return;
      nextFrame ??= setTimeout(draw, Math.max(drawnAtMs + FRAME_MS - performance.now(), 0));
    } catch (error) {
      end(error);
    }
  }

  function ask(query: Query | undefined): void {
    if (query === undefined) {
      processes?.close();
      processes = undefined;
    } else if (processes !== undefined) processes.change(query);
    else processes = client.subscribe(query, answerTo('processes'));
  }

  function draw(): void {
    nextFrame = undefined;
    drawnAtMs = performance.now();
    try {
      screen.draw(view(model, screen.charset));
    } catch (error) {
      end(error);
    }
  }

  function answerTo(to: 'hosts' | 'processes'): (answer: Answer) => void {
    return (answer) => dispatch({ type: 'answer', to, answer, nowMs: performance.now() });
  }

  function end(...problem: unknown[]): void {
    if (!isRunning) return;
    isRunning = false;
    clearTimeout(nextFrame);
    clearInterval(clock);
    for (const signal of SIGNALS) process.off(signal, onSignal);
    client.off('status', onStatus);
    screen.close();
    client.close();
    if (problem.length > 0) reject(problem[0]);
    else resolve();
  }

  const onSignal = () => end();
  const onStatus = (status: ConnectionStatus) => dispatch({ type: 'status', status });
  const clock = setInterval(() => dispatch({ type: 'clock', nowMs: performance.now() }), CLOCK_MS);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  client.on('status', onStatus);
  client.subscribe(HOSTS_QUERY, answerTo('hosts'));
  client.connect();
  draw();
  return promise;
}

function ownTerminal(): Terminal {
  return { input: process.stdin, output: process.stdout, env: process.env };
}
