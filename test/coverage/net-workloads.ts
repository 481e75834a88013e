import { writeFileSync } from 'node:fs';
import type { Resource } from './observer.ts';
import type { Workshop } from './rig.ts';

export type Role = 'server' | 'client';

/** An exchange between one process that listens and one that connects; the test programs know the rest. */
export interface NetWorkload {
  name: string;
  title: string;
  family: 'v4' | 'v6';
  server: string;
  client: (peer: { address: string; port: string }, at: Workshop) => string[];
  /** Directions in which there is something to measure, of each end. */
  measured: { readonly [role in Role]: readonly Resource[] };
}

const ONE_WAY = { server: ['netInBytes'], client: ['netOutBytes'] } as const;
const BOTH_WAYS = { server: ['netInBytes', 'netOutBytes'], client: ['netInBytes', 'netOutBytes'] } as const;

/** Each takes `seconds`. */
export function netWorkloads(seconds = 4): NetWorkload[] {
  const bulk = (mode: string, bytesPerSec: number, ...last: string[]): NetWorkload['client'] => {
    return ({ address, port }) => [mode, address, port, String(seconds), String(bytesPerSec), ...last];
  };
  const tcp = { server: 'tcp-server', client: bulk('tcp-client', 50e6), measured: ONE_WAY };
  const udp = (how: string) => ({ server: 'udp-recv', client: bulk('udp-send', 5e6, how), measured: ONE_WAY });
  return [
    { name: 'net-tcp', title: 'bulk TCP', family: 'v4', ...tcp },
    { name: 'net-tcp6', title: 'bulk TCP, IPv6', family: 'v6', ...tcp },
    {
      name: 'net-sendfile',
      title: 'sendfile',
      family: 'v4',
      server: 'tcp-server',
      client: (peer, at) => {
        const file = at.path('sent');
        writeFileSync(file, Buffer.alloc(65_536, 'x'));
        return bulk('sendfile', 50e6, file)(peer, at);
      },
      measured: ONE_WAY,
    },
    { name: 'net-udp-connected', title: 'UDP, connected', family: 'v4', ...udp('connected') },
    { name: 'net-udp-unconnected', title: 'UDP, unconnected', family: 'v4', ...udp('unconnected') },
    { name: 'net-udp6', title: 'UDP, unconnected, IPv6', family: 'v6', ...udp('unconnected') },
    {
      name: 'net-http',
      title: `${seconds * 1_000} short HTTP connections`,
      family: 'v4',
      server: 'http-server',
      client: ({ address, port }) => ['http-client', address, port, String(seconds * 1_000), '1000'],
      measured: BOTH_WAYS,
    },
  ];
}
