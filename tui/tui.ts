import type { Answer, Client, ConnectionStatus, Subscription, ViewerEvent } from '../src/client/client.ts';
import type { Query } from '../src/protocol/query.ts';
import type { Command, Message, Subject } from './model.ts';
import { openScreen, type Terminal } from './screen.ts';
import { begun, update } from './update.ts';
import { view } from './view.ts';

/** At most twenty frames a second: nobody reads faster, and each costs the terminal's CPU too. */
const FRAME_MS = 50;
/** How often the age of the data is looked at. */
const CLOCK_MS = 1_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What the terminal UI needs of a `Client`. */
export interface TuiClient extends Pick<Client, 'connect' | 'subscribe' | 'close'> {
  on(event: 'status', listener: (status: ConnectionStatus) => void): unknown;
  on(event: 'event', listener: (event: ViewerEvent) => void): unknown;
  off(event: 'status', listener: (status: ConnectionStatus) => void): unknown;
  off(event: 'event', listener: (event: ViewerEvent) => void): unknown;
}

export interface TuiOptions {
  /** Not connected yet; it is connected and closed here. */
  client: TuiClient;
  /** A short line shown at the bottom, such as where the data is kept. */
  notice?: string;
  /** Moment of the past to begin with, epoch ms. */
  atMs?: number | undefined;
  /** By default the terminal of this process. */
  terminal?: Terminal;
}

/**
 * Shows the fleet in the terminal until the user quits or the process is told to end (SIGINT, SIGTERM, SIGHUP).
 * Whatever the way out, the terminal is restored and the client closed before the promise settles; what to do with the
 * process is the caller's affair.
 * @throws what went wrong, if anything did.
 */
export function runTui({ client, notice, atMs, terminal = ownTerminal() }: TuiOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const standing = new Map<Subject, Subscription>();
  let nextFrame: NodeJS.Timeout | undefined;
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  let isRunning = true;

  const screen = openScreen(terminal, {
    key: (key) => dispatch({ type: 'key', key }),
    resize: (columns, rows) => dispatch({ type: 'resize', columns, rows }),
    gone: () => end(),
  });
  const { columns, rows } = screen;
  const nowMs = performance.now();
  const first = begun({ columns, rows, nowMs, clockOffsetMs: Date.now() - nowMs, notice, atMs });
  let { model } = first;

  function dispatch(message: Message): void {
    if (!isRunning) return;
    try {
      const { model: next, commands } = update(model, message);
      model = next;
      carryOut(commands);
      if (!isRunning) return;
      nextFrame ??= setTimeout(draw, Math.max(drawnAtMs + FRAME_MS - performance.now(), 0));
    } catch (error) {
      end(error);
    }
  }

  function carryOut(commands: readonly Command[]): void {
    for (const command of commands) {
      if (command.type === 'quit') end();
      else ask(command.about, command.query);
    }
  }

  function ask(about: Subject, query: Query | undefined): void {
    const subscription = standing.get(about);
    if (query === undefined) {
      subscription?.close();
      standing.delete(about);
    } else if (subscription !== undefined) subscription.change(query);
    else standing.set(about, client.subscribe(query, answerTo(about)));
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

  function answerTo(to: Subject): (answer: Answer) => void {
    return (answer) => dispatch({ type: 'answer', to, answer, nowMs: performance.now() });
  }

  function end(...problem: unknown[]): void {
    if (!isRunning) return;
    isRunning = false;
    clearTimeout(nextFrame);
    clearInterval(clock);
    for (const signal of SIGNALS) process.off(signal, onSignal);
    client.off('status', onStatus);
    client.off('event', onEvent);
    screen.close();
    client.close();
    if (problem.length > 0) reject(problem[0]);
    else resolve();
  }

  const onSignal = () => end();
  const onStatus = (status: ConnectionStatus) => dispatch({ type: 'status', status });
  const onEvent = (event: ViewerEvent) => dispatch({ type: 'event', event, nowMs: performance.now() });
  const clock = setInterval(() => dispatch({ type: 'clock', nowMs: performance.now() }), CLOCK_MS);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  client.on('status', onStatus);
  client.on('event', onEvent);
  carryOut(first.commands);
  client.connect();
  draw();
  return promise;
}

function ownTerminal(): Terminal {
  return { input: process.stdin, output: process.stdout, env: process.env };
}
