import { Problem } from '../problem.ts';
import { type FleetStore, ISTATE } from '../store/fleet.ts';
import type { Deployer } from './deploy/deployer.ts';
import type { Work } from './host-job.ts';
import type { HostList, ListedHost } from './host-list.ts';
import type { Provisioner } from './provision.ts';

/** An agent that was started is connected by then. */
const CONNECT_MS = 30_000;

export interface WorkOptions {
  fleet: FleetStore;
  hosts: HostList;
  deployer: Deployer;
  provisioner: Pick<Provisioner, 'provision'>;
}

/** What there is to do about a row; undefined where all is as it should be. */
export function workOn(listed: ListedHost, options: WorkOptions): Work | undefined {
  const { istate, fault, failure, phase } = listed;
  if (istate === ISTATE.takeOffline) return takeOffline(options);
  if (fault !== undefined) return failure === fault ? undefined : noteFault(options);
  if (istate === ISTATE.bringOnline) return bringOnline(options);
  return failure === undefined && phase === undefined ? undefined : forgetNotes(options);
}

function bringOnline({ fleet, hosts, deployer, provisioner }: WorkOptions): Work {
  return async ({ host, rshost, istate, tokenGeneration = 0 }, notes, signal) => {
    let phases = 0;
    const onPhase = (phase: string): void => {
      phases += 1;
      // Whatever comes after the first phase leaves something there that must be taken away again.
      notes.note(phases > 1 ? { phase, isDeployed: true } : { phase });
    };
    const provision = await provisioner.provision(host, tokenGeneration, signal);
    await deployer.install(rshost, provision, onPhase, signal);
    notes.note({ phase: 'waiting for its agent to connect', isDeployed: true });
    await connected(hosts, host, signal);
    await notes.end({ ...NOTHING, isDeployed: true });
    await fleet.changeState(rshost, istate, ISTATE.running);
  };
}

async function connected(hosts: HostList, host: string, signal: AbortSignal): Promise<void> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), CONNECT_MS);
  try {
    await hosts.until(host, (listed) => hosts.isConnected(listed), AbortSignal.any([signal, patience.signal]));
  } catch (cause) {
    if (signal.aborted || !patience.signal.aborted) throw cause;
    throw new Problem(
      'ERR_DEPLOY_SILENT',
      `its agent was started and has not connected within ${CONNECT_MS / 1_000} s: let the host reach the servers' port, and look into the agent's log there`,
      { cause },
    );
  } finally {
    clearTimeout(timer);
  }
}

/** An agent that was not deployed is told to end by the server that it is connected to, as soon as that sees the state. */
function takeOffline({ fleet, deployer }: WorkOptions): Work {
  return async ({ rshost, istate, isDeployed, fault, tokenGeneration = 0 }, notes, signal) => {
    if (isDeployed && fault === undefined) {
      await deployer.remove(rshost, (phase) => notes.note({ phase }), signal);
      // The token that was there is void from now on.
      await notes.end({ ...NOTHING, isDeployed: undefined, tokenGeneration: tokenGeneration + 1 });
    } else await notes.end(NOTHING);
    await fleet.changeState(rshost, istate, ISTATE.offline);
  };
}

function noteFault({ fleet }: WorkOptions): Work {
  return ({ rshost, fault }) => fleet.note(rshost, { failure: fault });
}

function forgetNotes({ fleet }: WorkOptions): Work {
  return ({ rshost }) => fleet.note(rshost, NOTHING);
}

const NOTHING = { phase: undefined, failure: undefined, attempts: undefined };
