import type { Outcome } from '../protocol/operator.ts';
import { ISTATE } from '../store/fleet.ts';
import type { HostChange, HostList, ListedHost } from './host-list.ts';

/** Hears what becomes of the hosts of a change. */
export interface ChangeListener {
  onPhase(host: string, phase: string): void;
  /** Called once for each host. */
  onOutcome(outcome: Outcome): void;
}

/**
 * Tells what becomes of hosts, as the list shows it, until each is done or has failed.
 * @param goal what they are to be.
 */
export async function followChange(
  goal: 'running' | 'retired',
  targets: Iterable<{ host: string; rshost: string }>,
  hosts: HostList,
  listener: ChangeListener,
  signal: AbortSignal,
): Promise<void> {
  const pending = new Map(Array.from(targets, ({ host, rshost }) => [host, { rshost, phase: '' }]));
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const look = (host: string): void => {
    const target = pending.get(host);
    if (target === undefined) return;
    const listed = hosts.get(host);
    const outcome = outcomeOf(goal, target.rshost, listed);
    if (outcome !== undefined) {
      pending.delete(host);
      listener.onOutcome({ host, ...outcome });
      return;
    }
    const phase = listed?.phase ?? '';
    if (phase !== '' && phase !== target.phase) listener.onPhase(host, phase);
    target.phase = phase;
  };
  const onChange = (changes: readonly Pick<HostChange, 'host'>[]): void => {
    for (const { host } of changes) look(host);
    if (pending.size === 0) resolve();
  };
  const onAbort = (): void => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  hosts.on('change', onChange);
  onChange(Array.from(pending.keys(), (host) => ({ host })));
  try {
    if (!signal.aborted) await ended;
  } finally {
    hosts.off('change', onChange);
    signal.removeEventListener('abort', onAbort);
  }
}

function outcomeOf(
  goal: 'running' | 'retired',
  rshost: string,
  listed: ListedHost | undefined,
): Omit<Outcome, 'host'> | undefined {
  if (listed?.rshost !== rshost) {
    if (goal === 'retired') return { state: 'retired' };
    return { state: 'failed', failure: 'somebody has taken it out of the list' };
  }
  const { istate, fault, failure } = listed;
  const [done, underWay] =
    goal === 'running' ? [ISTATE.running, ISTATE.bringOnline] : [ISTATE.offline, ISTATE.takeOffline];
  if (istate === done) return { state: goal };
  if (istate !== underWay) {
    const other = goal === 'running' ? 'somebody takes it offline' : 'somebody brings it online';
    return { state: 'failed', failure: other };
  }
  const reason = goal === 'running' ? (fault ?? failure) : failure;
  return reason === undefined ? undefined : { state: 'failed', failure: reason };
}
