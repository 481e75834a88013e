import type { UpgradePhase } from '../protocol/release.ts';

/** `istate` of `tb_monitor_host_config`: what is asked for and, once done, what is so. */
export const ISTATE = { bringOnline: 1, running: 2, takeOffline: 0, offline: -1 } as const;
export type Istate = (typeof ISTATE)[keyof typeof ISTATE];

/** What procmesh notes of a host beside the three columns that are its users'; absent until there is something to note. */
export interface HostDetail {
  /** What is being done with it, in plain words: `copying the runtime`. */
  phase?: string | undefined;
  /** Why the last attempt failed, in plain words. */
  failure?: string | undefined;
  /** Attempts in a row that failed. */
  attempts?: number | undefined;
  /** An agent was deployed there by this mesh, so there is something to take away. */
  isDeployed?: boolean | undefined;
  /** Tokens of older generations are void. */
  tokenGeneration?: number | undefined;
  /** The server that its agent is, or was last, connected to. */
  server?: string | undefined;
  /** By the database's clock, epoch ms; absent while it is connected. */
  disconnectedMs?: number | undefined;
  /** What the agent calls itself. */
  version?: string | undefined;
  /** Hash of the release that it runs; absent: it cannot be upgraded over its connection. */
  release?: string | undefined;
  /** Serial of the release that it is to run. */
  wanted?: number | undefined;
  /** How far it is on its way to that one, and why it failed; see `RolloutStore`. */
  upgrade?: UpgradePhase | undefined;
  upgradeFailure?: string | undefined;
}

export interface FleetHost extends HostDetail {
  /** As in the table: `HOST`, `user@HOST:port`. */
  rshost: string;
  istate: Istate;
}

export interface MeshServer {
  name: string;
  /** Where agents reach it. */
  url: string;
  /** How long ago it last said that it lives, by the database's clock. */
  silentMs: number;
}

/** One word on something that goes wrong or has come right. */
export interface Alert {
  /** Host, or server, that it is about. */
  host: string;
  /** `offline`, `deploy`, `release`, `server`, `store`, `outbox`, `cpu`, `mem`, `disk`, `net`. */
  kind: string;
  /** 1 alerted, 0 recovered. */
  istate: 0 | 1;
  remarks: string;
  /** Epoch ms, a whole second. */
  atMs: number;
}

/**
 * What the servers of one mesh share: the list of hosts, who is connected where, who does the duties, what was alerted.
 * Every method may reject with a `Problem` whose code is a `StoreErrorCode`, and has a deadline of its own. Rows that
 * people write by hand are taken as they are; an `istate` that is none is left alone and not listed.
 */
export interface FleetStore {
  /** By id; of rows with one `rshost` there is one. */
  hosts(): Promise<FleetHost[]>;
  /** Lists them with that state; a host that is listed already gets it, unless it is `running` and is to be brought online. */
  list(rshosts: readonly string[], istate: Istate): Promise<void>;
  /** @returns whether it was in that state. A host that someone else has given another state meanwhile keeps it. */
  changeState(rshost: string, from: Istate, to: Istate): Promise<boolean>;
  /** Notes what is given and leaves the rest; a value of undefined forgets. */
  note(rshost: string, detail: HostDetail): Promise<void>;
  /** Notes that its agent, of that version and release, connected to this server: from now on it is this server's. */
  connected(rshost: string, server: string, version: string, release?: string): Promise<void>;
  /** Notes that its agent is gone, if it is this server's still; the first time counts. */
  disconnected(rshost: string, server: string): Promise<void>;
  /**
   * Takes the lease, or keeps it, for so long by the database's clock, from the call at the earliest. @returns whether it
   * is the holder's now. After a rejection it may be, all the same.
   */
  lease(name: string, holder: string, forMs: number): Promise<boolean>;
  /** Gives it up, so that another may take it at once. */
  release(name: string, holder: string): Promise<void>;
  /** Who has the lease now; undefined when nobody does. */
  holder(name: string): Promise<string | undefined>;
  /** Says that a server lives; to be repeated. */
  beat(server: { name: string; url: string }): Promise<void>;
  /** By name; one that ended without `leave` stays. */
  servers(): Promise<MeshServer[]>;
  /** Takes a server out of the list: it has ended as it should. */
  leave(name: string): Promise<void>;
  /** Of the same host, kind and second the first stays. @returns whether this one is the first. */
  alert(alert: Alert): Promise<boolean>;
  /** The last word on each host and kind since then, by time. */
  lastAlerts(sinceMs: number): Promise<Alert[]>;
  /** Those that nobody has sent yet, by time, at most so many. */
  unsentAlerts(sinceMs: number, limit: number): Promise<Alert[]>;
  /** Notes that they were sent. */
  sent(alerts: readonly Alert[]): Promise<void>;
}
