import { setTimeout as sleep } from 'node:timers/promises';
import { ListenDump } from '../kernel/listen-dump.ts';
import { Problem } from '../problem.ts';
import { MAX_VIEWER_FRAME_BYTES } from '../protocol/codec.ts';
import { ReconnectingSocket } from '../protocol/reconnect.ts';
import { keptDescriptors } from './abilities.ts';
import type { AgentOptions } from './agent.ts';
import { Identities } from './identity/identity.ts';
import { agentUrl } from './link.ts';
import { Sampler } from './sampler.ts';
import { Scanner } from './snapshot.ts';

const SAMPLE_MS = 400;
/** Beyond the dials of all servers, and within the time that a self-test is given. */
const REACH_MS = 15_000;

/** What a self-test needs of an agent's circumstances. */
export type SelfTestOptions = Pick<
  AgentOptions,
  'servers' | 'token' | 'pin' | 'procRoot' | 'sysRoot' | 'passwdPath' | 'kernel' | 'openSources'
>;

/**
 * Shows that an agent of this release would work here, beside the one that does: it loads what is loaded late, measures
 * once and reaches a server, to which it says nothing. Nothing on the disk is touched.
 * @throws Problem when it would not work, and what a fault of its own throws.
 */
export async function selfTest(options: SelfTestOptions): Promise<void> {
  await import('./alert-table.ts');
  await sampleOnce(options);
  await reachServer(options);
}

async function sampleOnce({ procRoot, sysRoot, passwdPath, kernel, openSources }: SelfTestOptions): Promise<void> {
  const dump = kernel.libc && new ListenDump(kernel.libc);
  const identities = new Identities({ procRoot, passwdPath, ownPid: process.pid, dump });
  const sources = openSources(identities.listeners);
  const scanner = new Scanner({ procRoot, sysRoot, keptDescriptors: keptDescriptors(procRoot) });
  try {
    const sampler = new Sampler(scanner, sources);
    sampler.sample();
    await sleep(SAMPLE_MS);
    const sample = sampler.sample();
    if (!sample?.processes.has(process.pid)) throw new Problem('ERR_SELF_TEST', 'a sample lacks even the agent itself');
    identities.update(sample.snapshot);
  } finally {
    scanner.close();
    sources.close();
    dump?.close();
  }
}

/** The first of the servers that lets it in is enough. */
async function reachServer({ servers, token, pin }: SelfTestOptions): Promise<void> {
  const reasons = new Map<string, string>();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = new ReconnectingSocket({
    urls: servers.map(agentUrl),
    token,
    ...(pin && { pin }),
    maxPayloadBytes: MAX_VIEWER_FRAME_BYTES,
    heartbeatMs: REACH_MS,
  });
  const giveUp = (): void => {
    const said = [...reasons].map(([url, reason]) => `${new URL(url).host}: ${reason}`).join(', ');
    reject(new Problem('ERR_SELF_TEST', `no server is reached (${said || 'none answers'})`));
  };
  const timer = setTimeout(giveUp, REACH_MS);
  socket.on('status', (status) => {
    if (status.state === 'open') resolve();
    if (status.state !== 'lost' && status.state !== 'refused') return;
    reasons.set(socket.url, status.reason);
    if (reasons.size === servers.length) giveUp();
  });
  socket.open();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}
