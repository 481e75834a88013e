import { createHash } from 'node:crypto';
import type { AlertAccess } from '../alert-channel/access.ts';
import { Problem } from '../problem.ts';
import type { AgentProvision } from './deploy/deployer.ts';
import { ownAddressTowards } from './own-address.ts';

export interface ProvisionOptions {
  agentToken: (host: string, generation: number) => string;
  /** As configured; empty: this server alone. */
  servers: readonly string[];
  /** Of this server, for agents that are given no other. */
  own: { scheme: 'ws' | 'wss'; listenHost: string; port: number };
  pin: string | undefined;
  releaseKey: string;
  alerts: AlertAccess | undefined;
}

/** Makes what agents are given. */
export class Provisioner {
  readonly #options: ProvisionOptions;

  constructor(options: ProvisionOptions) {
    this.#options = options;
  }

  /** @throws Problem when no server is known that the host could reach. */
  async provision(host: string, generation: number, signal: AbortSignal): Promise<AgentProvision> {
    const { agentToken, servers, pin, releaseKey, alerts } = this.#options;
    return {
      host,
      token: agentToken(host, generation),
      servers: servers.length > 0 ? spread(servers, host) : [await this.#ownUrl(host, signal)],
      pin,
      releaseKey,
      alerts,
    };
  }

  /** By the address that it listens on, or that leads to the host. */
  async #ownUrl(host: string, signal: AbortSignal): Promise<string> {
    const { scheme, listenHost, port } = this.#options.own;
    const address = isUnspecified(listenHost) ? await ownAddressTowards(host, signal) : listenHost;
    if (isLoopback(address) && !isLoopback(host))
      throw new Problem(
        'ERR_DEPLOY_SERVERS',
        `this server listens on ${address} alone, where no other machine can reach it: set [SERVER] listen = 0.0.0.0:${port}`,
      );
    return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`;
  }
}

/** All of them, each host beginning with another one. */
export function spread(servers: readonly string[], host: string): string[] {
  const first = createHash('sha256').update(host).digest().readUInt32BE() % servers.length;
  return [...servers.slice(first), ...servers.slice(0, first)];
}

function isUnspecified(address: string): boolean {
  return address === '' || address === '0.0.0.0' || address === '::';
}

function isLoopback(host: string): boolean {
  return /^(127\.|::1$|localhost$)/.test(host);
}
