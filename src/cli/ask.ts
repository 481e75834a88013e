import { type Answer, Client, type ConnectionStatus } from '../client/client.ts';
import { Problem } from '../problem.ts';
import type { Query } from '../protocol/query.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** From the past an answer may have to be read from a disk. */
const ANSWER_TIMEOUT_MS = 60_000;

export type RowsOrHosts = Exclude<Answer, { type: 'error' }>;

export interface AskOptions {
  watch: boolean;
  onAnswer: (answer: RowsOrHosts) => void;
  /** Ends the watch with this answer. */
  isLast?: (answer: RowsOrHosts) => boolean;
  /** What to say of a watch whose connection was lost, which ends it then; undefined: it goes on with the next one. */
  whenLost?: string;
}

/**
 * Asks a server and hands over each answer: the first one only, or with `watch` all of them until the signal to stop.
 * @throws Problem when the server cannot be reached, refuses, or cannot answer.
 */
export async function ask(
  target: { url: string; token: string; pin?: string | undefined },
  query: Query,
  options: AskOptions,
): Promise<void> {
  const { watch, onAnswer, isLast, whenLost } = options;
  const client = new Client(target);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let timer = setTimeout(() => reject(unreachable(target.url, 'timed out')), CONNECT_TIMEOUT_MS);
  let answered = false;
  client.on('status', (status) => {
    if (status.state === 'refused') reject(refused(target.url, status));
    else if (status.state === 'lost' && !answered) reject(unreachable(target.url, status.reason));
    else if (status.state === 'lost' && whenLost !== undefined)
      reject(new Problem('ERR_SERVER', `the connection to the server was lost (${status.reason}); ${whenLost}`));
    else if (status.state === 'open' && !answered) {
      clearTimeout(timer);
      timer = setTimeout(() => reject(unreachable(target.url, 'timed out')), ANSWER_TIMEOUT_MS);
    }
  });
  client.subscribe(query, (answer) => {
    if (answer.type === 'error') {
      reject(new Problem(answer.code, answer.message, { exitCode: answer.code === 'ERR_FILTER' ? 2 : 1 }));
      return;
    }
    answered = true;
    clearTimeout(timer);
    try {
      onAnswer(answer);
      if (!watch || isLast?.(answer)) resolve();
    } catch (error) {
      reject(error);
    }
  });
  const stop = (): void => resolve();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  client.connect();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', stop).off('SIGTERM', stop);
    client.close();
  }
}

/** Why a server could not be asked. */
export function unreachable(url: string, reason: string): Problem {
  return new Problem(
    'ERR_SERVER',
    `no answer from the server at ${url} (${reason}): start it (procmesh start), or name another with --server`,
  );
}

/** Why a server, or this side, would not. */
export function refused(url: string, { what, reason }: Extract<ConnectionStatus, { state: 'refused' }>): Problem {
  if (what === 'token')
    return new Problem('ERR_TOKEN', `the server at ${url} refuses the token: name the right one with --token-file`);
  return new Problem('ERR_CERTIFICATE', `the server at ${url} is not trusted: ${reason}`);
}
