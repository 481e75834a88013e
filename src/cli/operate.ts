import { OperatorClient } from '../client/operator.ts';
import { Problem } from '../problem.ts';
import type { Change, Outcome, ServerToOperator, Steering } from '../protocol/operator.ts';
import { refused, unreachable } from './ask.ts';
import type { Target } from './options.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** A server that is too old to be steered says nothing to it. */
const STEER_TIMEOUT_MS = 15_000;

/**
 * Has a server change its fleet, and hands over what becomes of each host until all of them are done or have failed.
 * @throws Problem when the server cannot be reached, refuses, or is interrupted in telling.
 */
export function operate(
  target: Target,
  change: Omit<Change, 'type' | 'id'>,
  options: { onPhase: (host: string, phase: string) => void; onOutcome: (outcome: Outcome) => void },
): Promise<void> {
  return command(target, {
    send: (client) => client.change(change),
    onAnswer: (answer) => {
      if (answer.type === 'progress') options.onPhase(answer.host, answer.phase);
      if (answer.type !== 'outcome') return;
      const { type: _, id: __, ...outcome } = answer;
      options.onOutcome(outcome);
    },
    afterwards: 'the server goes on with it: procmesh hosts shows how far it is',
  });
}

/**
 * Has a server steer the newest rollout.
 * @throws Problem when the server cannot be reached, refuses, has nothing to do it with, or does not answer.
 */
export function steer(target: Target, act: Steering): Promise<void> {
  return command(target, {
    send: (client) => client.steer(act),
    timeoutMs: STEER_TIMEOUT_MS,
    afterwards: 'whether it was done, procmesh release shows',
  });
}

interface Command {
  send: (client: OperatorClient) => void;
  onAnswer?: (answer: ServerToOperator) => void;
  /** From the connection to the end; undefined: as long as it takes. */
  timeoutMs?: number;
  /** What is known of a command that was sent, and whose end was not heard of. */
  afterwards: string;
}

async function command(target: Target, { send, onAnswer, timeoutMs, afterwards }: Command): Promise<void> {
  const client = new OperatorClient(target);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let timer = setTimeout(() => reject(unreachable(target.url, 'timed out')), CONNECT_TIMEOUT_MS);
  let isOpen = false;
  client.on('status', (status) => {
    if (status.state === 'refused') reject(refused(target.url, status));
    else if (status.state === 'lost' && isOpen)
      reject(new Problem('ERR_SERVER', `the connection to the server was lost (${status.reason}); ${afterwards}`));
    else if (status.state === 'lost') reject(unreachable(target.url, status.reason));
    else if (status.state === 'open') {
      isOpen = true;
      clearTimeout(timer);
      if (timeoutMs !== undefined) timer = setTimeout(() => reject(unanswered(target.url, afterwards)), timeoutMs);
    }
  });
  client.on('answer', (answer) => {
    if (answer.type === 'done') resolve();
    else if (answer.type === 'error')
      reject(new Problem(answer.code, answer.message, { exitCode: answer.code === 'ERR_HOST' ? 2 : 1 }));
    else onAnswer?.(answer);
  });
  const stop = (): void => reject(new Problem('ERR_INTERRUPTED', `interrupted; ${afterwards}`));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  send(client);
  client.connect();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', stop).off('SIGTERM', stop);
    client.close();
  }
}

function unanswered(url: string, afterwards: string): Problem {
  return new Problem(
    'ERR_SERVER',
    `the server at ${url} does not answer: its store may be away, or it is older than this command; ${afterwards}`,
  );
}
