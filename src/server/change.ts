import { Problem } from '../problem.ts';
import type { Act, Change } from '../protocol/operator.ts';
import { type FleetStore, ISTATE } from '../store/fleet.ts';
import { type ChangeListener, followChange } from './follow-change.ts';
import { parseHostAddress } from './host-address.ts';
import type { HostList, ListedHost } from './host-list.ts';
import type { Rotation } from './rotation.ts';

/** Notes that are written at the same time. */
const PARALLEL = 8;

export interface ChangeDependencies {
  fleet: FleetStore;
  hosts: HostList;
  rotation: Rotation;
  agentToken: (host: string, generation: number) => string;
}

/** A host of a change: `rshost` is what its row says, or will say. */
interface Target {
  host: string;
  rshost: string;
  listed: ListedHost | undefined;
}

/**
 * Does what an operator asks for: writes it into the list, for whichever server does it, and tells what becomes of it
 * until each host is done or has failed. When the signal aborts nobody is told any more; what was begun goes on.
 * @throws Problem when a name is none (`ERR_HOST`; nothing has been done), or the store cannot be written.
 */
export async function changeHosts(
  { act, hosts: names }: Omit<Change, 'type' | 'id'>,
  dependencies: ChangeDependencies,
  listener: ChangeListener,
  signal: AbortSignal,
): Promise<void> {
  const { hosts } = dependencies;
  await hosts.refresh();
  const wanted = names.length === 0 && act === 'rotate' ? running(hosts) : names;
  const targets = [...resolve(act, wanted, hosts, listener).values()];
  if (act === 'add') await add(targets, dependencies, listener, signal);
  else if (act === 'remove') await remove(targets, dependencies, listener, signal);
  else if (act === 'rotate') await rotate(targets, dependencies, listener);
  else await giveTokens(targets, dependencies, listener);
}

function running(hosts: HostList): string[] {
  return [...hosts.all()].flatMap(({ rshost, istate, fault }) =>
    istate === ISTATE.running && fault === undefined ? rshost : [],
  );
}

/** By host, each once. Those that the change cannot be about have failed already. */
function resolve(
  act: Act,
  names: readonly string[],
  hosts: HostList,
  listener: ChangeListener,
): ReadonlyMap<string, Target> {
  const targets = new Map<string, Target>();
  const failures = new Map<string, string>();
  for (const name of names) {
    const host = hosts.get(name)?.host ?? parseHostAddress(name)?.host;
    if (host === undefined)
      throw new Problem('ERR_HOST', `${name} is no host: write HOST, or user@HOST:port`, { exitCode: 2 });
    const known = hosts.get(host);
    // One that has been taken offline may be listed in another way.
    const listed = known?.istate === ISTATE.offline && name !== host && act !== 'remove' ? undefined : known;
    if (listed === undefined && (act === 'remove' || act === 'rotate'))
      failures.set(host, 'it is not listed: procmesh hosts shows those that are');
    else if (listed !== undefined && name !== host && name !== listed.rshost)
      failures.set(host, `it is listed as ${listed.rshost}: name it so, or remove it first`);
    else targets.set(host, { host, rshost: listed?.rshost ?? name, listed });
  }
  for (const [host, failure] of failures) {
    targets.delete(host);
    listener.onOutcome({ host, state: 'failed', failure });
  }
  return targets;
}

async function add(
  targets: readonly Target[],
  { fleet, hosts }: ChangeDependencies,
  listener: ChangeListener,
  signal: AbortSignal,
): Promise<void> {
  await fleet.list(rshosts(targets), ISTATE.bringOnline);
  await forgetFailures(targets, fleet);
  await hosts.refresh();
  await followChange('running', targets, hosts, listener, signal);
}

async function remove(
  targets: readonly Target[],
  { fleet, hosts }: ChangeDependencies,
  listener: ChangeListener,
  signal: AbortSignal,
): Promise<void> {
  const listed = targets.filter((target) => target.listed?.istate !== ISTATE.offline);
  await fleet.list(rshosts(listed), ISTATE.takeOffline);
  await forgetFailures(listed, fleet);
  await hosts.refresh();
  await followChange('retired', targets, hosts, listener, signal);
}

/** Whoever does it takes that for a wish to try at once. */
async function forgetFailures(targets: readonly Target[], fleet: FleetStore): Promise<void> {
  const failed = rshosts(targets.filter(({ listed }) => listed?.failure !== undefined));
  const forget = async (): Promise<void> => {
    for (let rshost = failed.pop(); rshost !== undefined; rshost = failed.pop())
      await fleet.note(rshost, { failure: undefined, attempts: undefined });
  };
  await Promise.all(Array.from({ length: PARALLEL }, forget));
}

async function rotate(
  targets: readonly Target[],
  { rotation }: ChangeDependencies,
  listener: ChangeListener,
): Promise<void> {
  await Promise.all(
    targets.map(async ({ host, listed }) => {
      try {
        const token = await rotation.rotate(listed as ListedHost);
        listener.onOutcome({ host, state: 'rotated', ...(token !== undefined && { token }) });
      } catch (error) {
        const failure = error instanceof Error ? error.message : String(error);
        listener.onOutcome({ host, state: 'failed', failure });
      }
    }),
  );
}

async function giveTokens(
  targets: readonly Target[],
  { fleet, hosts, agentToken }: ChangeDependencies,
  listener: ChangeListener,
): Promise<void> {
  await fleet.list(rshosts(targets), ISTATE.running);
  await hosts.refresh();
  for (const { host } of targets) {
    const generation = hosts.generationOf(host);
    if (generation === undefined)
      listener.onOutcome({ host, state: 'failed', failure: hosts.get(host)?.fault ?? 'somebody takes it offline' });
    else listener.onOutcome({ host, state: 'running', token: agentToken(host, generation) });
  }
}

function rshosts(targets: readonly Target[]): string[] {
  return targets.map(({ rshost }) => rshost);
}
