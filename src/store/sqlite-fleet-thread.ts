import type { Alert, FleetHost, FleetStore, HostDetail, Istate, MeshServer } from './fleet.ts';
import type { Presence } from './fleet-rows.ts';
import { Gathering } from './gathering.ts';
import type { FleetOperations, StoreThread } from './sqlite-thread.ts';

/** Asks the thread that writes: the little there is to read would wait behind a query over a month in the other one. */
export class SqliteFleetThread implements FleetStore {
  readonly #thread: StoreThread;
  readonly #presences: Gathering<Presence>;

  constructor(writer: StoreThread) {
    this.#thread = writer;
    this.#presences = new Gathering((items) => this.#ask('notePresences', items));
  }

  hosts(): Promise<FleetHost[]> {
    return this.#ask('hosts');
  }

  list(rshosts: readonly string[], istate: Istate): Promise<void> {
    return this.#ask('list', rshosts, istate);
  }

  changeState(rshost: string, from: Istate, to: Istate): Promise<boolean> {
    return this.#ask('changeState', rshost, from, to);
  }

  note(rshost: string, detail: HostDetail): Promise<void> {
    return this.#ask('note', rshost, detail);
  }

  connected(rshost: string, server: string, version: string, release?: string): Promise<void> {
    return this.#presences.add({ rshost, server, version, release });
  }

  disconnected(rshost: string, server: string): Promise<void> {
    return this.#presences.add({ rshost, server, version: undefined });
  }

  lease(name: string, holder: string, forMs: number): Promise<boolean> {
    return this.#ask('lease', name, holder, forMs);
  }

  release(name: string, holder: string): Promise<void> {
    return this.#ask('release', name, holder);
  }

  holder(name: string): Promise<string | undefined> {
    return this.#ask('holder', name);
  }

  beat(server: { name: string; url: string }): Promise<void> {
    return this.#ask('beat', server);
  }

  servers(): Promise<MeshServer[]> {
    return this.#ask('servers');
  }

  leave(name: string): Promise<void> {
    return this.#ask('leave', name);
  }

  alert(alert: Alert): Promise<boolean> {
    return this.#ask('alert', alert);
  }

  lastAlerts(sinceMs: number): Promise<Alert[]> {
    return this.#ask('lastAlerts', sinceMs);
  }

  unsentAlerts(sinceMs: number, limit: number): Promise<Alert[]> {
    return this.#ask('unsentAlerts', sinceMs, limit);
  }

  sent(alerts: readonly Alert[]): Promise<void> {
    return this.#ask('sent', alerts);
  }

  /** Resolves when what was asked before has been handed to the thread. */
  settled(): Promise<void> {
    return this.#presences.settled();
  }

  #ask<Call extends keyof FleetOperations>(
    call: Call,
    ...args: Parameters<FleetOperations[Call]>
  ): Promise<ReturnType<FleetOperations[Call]>> {
    return this.#thread.request('fleet', call, args) as Promise<ReturnType<FleetOperations[Call]>>;
  }
}
