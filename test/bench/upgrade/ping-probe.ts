import { once } from 'node:events';
import { hostname } from 'node:os';
import WebSocket from 'ws';
import { AGENT_PATH, SUBPROTOCOL } from '../../../src/protocol/message.ts';
import { agentToken, ensureSecrets } from '../../../src/server/auth.ts';
import type { ServerCheckout } from './server-checkout.ts';

const EVERY_MS = 50;

/** Round trips, ms. */
export interface Latency {
  p50: number;
  p99: number;
}

/**
 * How long what an agent sends waits for its server: pings over a connection like an agent's, which the server reads in
 * their turn, as it does beats. The agent says no release, so that it is left alone.
 */
export class PingProbe {
  static readonly host = 'ping-probe';
  readonly #socket: WebSocket;
  readonly #tripsMs: number[] = [];
  readonly #timer: NodeJS.Timeout;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('pong', (data) => this.#tripsMs.push(performance.now() - Number(data.toString())));
    this.#timer = setInterval(() => socket.ping(String(performance.now())), EVERY_MS);
  }

  static async open({ url, dataDir }: Pick<ServerCheckout, 'url' | 'dataDir'>): Promise<PingProbe> {
    const { agents } = ensureSecrets(dataDir, hostname());
    const { host } = PingProbe;
    const socket = new WebSocket(new URL(AGENT_PATH, url), SUBPROTOCOL, {
      headers: { authorization: `Bearer ${agentToken(agents, { host, generation: 0 })}` },
      rejectUnauthorized: false,
    });
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'hello', host, version: '1.0', outbox: { waiting: 0, dropped: 0 } }));
    await once(socket, 'message');
    return new PingProbe(socket);
  }

  /** Hangs up. */
  end(): Latency {
    clearInterval(this.#timer);
    this.#socket.close();
    const sorted = this.#tripsMs.sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99) };
  }
}
