import { OperatorClient } from '../client/operator.ts';
import { Problem } from '../problem.ts';
import type { Change, Outcome } from '../protocol/operator.ts';
import { refused, unreachable } from './ask.ts';
import type { Target } from './options.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const GOES_ON = 'the server goes on with it: procmesh hosts shows how far it is';

/**
 * Has a server change its fleet, and hands over what becomes of each host until all of them are done or have failed.
 * @throws Problem when the server cannot be reached, refuses, or is interrupted in telling.
 */
export async function operate(
  target: Target,
  change: Omit<Change, 'type' | 'id'>,
  options: { onPhase: (host: string, phase: string) => void; onOutcome: (outcome: Outcome) => void },
): Promise<void> {
  const client = new OperatorClient(target);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(unreachable(target.url, 'timed out')), CONNECT_TIMEOUT_MS);
  let isOpen = false;
  client.on('status', (status) => {
    if (status.state === 'refused') reject(refused(target.url, status));
    else if (status.state === 'lost' && isOpen)
      reject(new Problem('ERR_SERVER', `the connection to the server was lost (${status.reason}); ${GOES_ON}`));
    else if (status.state === 'lost') reject(unreachable(target.url, status.reason));
    else if (status.state === 'open') {
      isOpen = true;
      clearTimeout(timer);
    }
  });
  client.on('answer', (answer) => {
    switch (answer.type) {
      case 'progress':
        options.onPhase(answer.host, answer.phase);
        break;
      case 'outcome': {
        const { type: _, id: __, ...outcome } = answer;
        options.onOutcome(outcome);
        break;
      }
      case 'done':
        resolve();
        break;
      case 'error':
        reject(new Problem(answer.code, answer.message, { exitCode: answer.code === 'ERR_HOST' ? 2 : 1 }));
        break;
    }
  });
  const stop = (): void => reject(new Problem('ERR_INTERRUPTED', `interrupted; ${GOES_ON}`));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  client.change(change);
  client.connect();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', stop).off('SIGTERM', stop);
    client.close();
  }
}
