import type { IntervalEndpoint } from '../../protocol/interval.ts';
import type { Rules } from '../../protocol/message.ts';
import type { Endpoint } from '../../protocol/row.ts';
import type { EndpointBytes } from './source.ts';

/** Endpoints an interval keeps account of; past that the smaller half of them is forgotten. */
const MAX_ACCOUNTS = 16_384;
/** Rows an interval may carry, the largest first. */
const MAX_ROWS = 500;

interface Account {
  instance: string;
  endpoint: EndpointBytes;
  inBytes: number;
  outBytes: number;
  inBytesPerSecMax: number;
  outBytesPerSecMax: number;
}

/** Who talked to whom in an interval: per instance the local ports it serves and the remote ones it uses. */
export class Endpoints {
  #accounts = new Map<string, Account>();
  #durationMs = 0;

  /** @param instanceOf undefined for processes that are gone and cannot be named: they are left out. */
  add(endpoints: readonly EndpointBytes[], durationMs: number, instanceOf: (pid: number) => string | undefined): void {
    this.#durationMs += durationMs;
    const window = new Map<string, Account>();
    for (const endpoint of endpoints) {
      const instance = instanceOf(endpoint.pid);
      if (instance === undefined) continue;
      const key = `${instance}\0${endpoint.localPort}\0${endpoint.remotePort}\0${endpoint.remoteAddress}`;
      const sum = window.get(key);
      if (sum === undefined) window.set(key, newAccount(instance, endpoint));
      else {
        sum.inBytes += endpoint.inBytes;
        sum.outBytes += endpoint.outBytes;
      }
    }
    for (const [key, now] of window) this.#addWindow(key, now, durationMs / 1000);
    if (this.#accounts.size > MAX_ACCOUNTS)
      this.#accounts = new Map(byBytes(this.#accounts).slice(0, MAX_ACCOUNTS / 2));
  }

  /** Every endpoint that reached the threshold and the `top` largest, largest first; and a new beginning. */
  close({ netBytesPerSec, top }: Rules): IntervalEndpoint[] {
    const ranked = byBytes(this.#accounts);
    const seconds = this.#durationMs / 1000;
    this.#accounts = new Map();
    this.#durationMs = 0;
    return ranked
      .filter(
        ([, { inBytesPerSecMax, outBytesPerSecMax }], rank) =>
          rank < top || Math.max(inBytesPerSecMax, outBytesPerSecMax) >= netBytesPerSec,
      )
      .slice(0, MAX_ROWS)
      .map(([, account]) => ({
        instance: account.instance,
        ...endpointOf(account.endpoint),
        inBytesPerSec: Math.round(account.inBytes / seconds),
        outBytesPerSec: Math.round(account.outBytes / seconds),
        inBytesPerSecMax: Math.round(account.inBytesPerSecMax),
        outBytesPerSecMax: Math.round(account.outBytesPerSecMax),
      }));
  }

  #addWindow(key: string, now: Account, seconds: number): void {
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = { ...now, inBytes: 0, outBytes: 0 };
      this.#accounts.set(key, account);
    }
    account.inBytes += now.inBytes;
    account.outBytes += now.outBytes;
    account.inBytesPerSecMax = Math.max(account.inBytesPerSecMax, now.inBytes / seconds);
    account.outBytesPerSecMax = Math.max(account.outBytesPerSecMax, now.outBytes / seconds);
  }
}

/** The endpoints of one process in one window, largest first. */
export function endpointsOf(
  pid: number,
  endpoints: readonly EndpointBytes[],
  durationMs: number,
  count: number,
): Endpoint[] {
  const seconds = durationMs / 1000;
  return endpoints
    .filter((endpoint) => endpoint.pid === pid)
    .sort((a, b) => b.inBytes + b.outBytes - a.inBytes - a.outBytes)
    .slice(0, count)
    .map((endpoint) => ({
      ...endpointOf(endpoint),
      inBytesPerSec: Math.round(endpoint.inBytes / seconds),
      outBytesPerSec: Math.round(endpoint.outBytes / seconds),
    }));
}

function endpointOf({ localPort, remotePort, remoteAddress }: EndpointBytes) {
  return {
    ...(localPort !== 0 && { localPort }),
    ...(remotePort !== 0 && { remotePort }),
    remoteAddress,
  };
}

function newAccount(instance: string, endpoint: EndpointBytes): Account {
  const { inBytes, outBytes } = endpoint;
  return { instance, endpoint, inBytes, outBytes, inBytesPerSecMax: 0, outBytesPerSecMax: 0 };
}

function byBytes(accounts: ReadonlyMap<string, Account>): [string, Account][] {
  return [...accounts].sort(([, a], [, b]) => b.inBytes + b.outBytes - a.inBytes - a.outBytes);
}
