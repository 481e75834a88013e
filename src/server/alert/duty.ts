import { type Alert, type FleetStore, ISTATE, type Istate } from '../../store/fleet.ts';
import type { Rollout } from '../../store/rollout.ts';
import type { MeshReading } from '../host-list.ts';
import type { AlertBook } from './book.ts';
import { judgeDeployments } from './deploy-rule.ts';
import { GRACE_MS, HostRule, type OwnConnections } from './host-rule.ts';
import { GIVE_UP_MS, MAX_WAITING, type Outlet } from './outlet.ts';
import { judgeReleases } from './release-rule.ts';
import { judgeServers } from './server-rule.ts';
import { type AlertKind, type Verdict, WHOLE_MESH } from './verdict.ts';

const CHECK_MS = 2_000;
/** Many that are alerted together are sent together: so many checks it is waited until all are written. */
const MOST_HELD = 3;

/** What one server of the mesh does about alerts, for all of them: judges hosts, servers, deployments and releases, and sends. */
export class AlertDuty {
  readonly #options: AlertDutyOptions;
  #timer: NodeJS.Timeout | undefined;
  /** Of the last reading that was judged. */
  #readAt = 0;
  /** What waits when the duty ends is sent by whoever does it next. */
  #ended = new AbortController();
  #held = 0;
  #hostRule = new HostRule();
  /** On their way to the channels. */
  readonly #underWay = new Set<string>();
  /** Have arrived, which the store has still to be told. */
  readonly #arrived: Alert[] = [];

  constructor(options: AlertDutyOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#ended = new AbortController();
    this.#readAt = performance.now();
    this.#hostRule = new HostRule();
    this.#timer = setTimeout(() => void this.#check(), 0);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#ended.abort();
    this.#underWay.clear();
  }

  async #check(): Promise<void> {
    const timer = this.#timer;
    try {
      this.#judge();
      if (!this.#isHeld()) await this.#send();
    } catch (error) {
      this.#options.onTrouble(error instanceof Error ? error : new Error(String(error)));
    }
    // It may have been stopped, and started again, meanwhile.
    if (this.#timer === timer) this.#timer = setTimeout(() => void this.#check(), CHECK_MS);
  }

  #isHeld(): boolean {
    this.#held = this.#options.book.isWriting && this.#held < MOST_HELD ? this.#held + 1 : 0;
    return this.#held > 0;
  }

  /** Each reading once: while the database is away nothing is known that could be judged. */
  #judge(): void {
    const { list, book, own, rollouts } = this.#options;
    const { reading } = list;
    if (reading === undefined || reading.readAt <= this.#readAt) return;
    const { hosts, servers, readAt, steadySince } = reading;
    this.#readAt = readAt;
    const found = this.#hostRule.judge(reading, own);
    const released = judgeReleases(rollouts(), hosts, WHOLE_MESH);
    for (const verdict of [...found, ...judgeDeployments(hosts), ...released]) book.judge(verdict);
    // A server that lives may be one that no agent reaches.
    if (found.some(({ isWell }) => isWell)) book.judge(WHOLE_MESH_IS_WELL);
    this.#settle('offline', new Set(hosts.filter(isWatched).map(({ host }) => host)), 'is no longer watched');
    if (readAt - steadySince < GRACE_MS) return;
    for (const verdict of judgeServers(servers)) book.judge(verdict);
    this.#settle('server', new Set([WHOLE_MESH, ...servers.map(({ name }) => name)]), 'has been taken out of service');
  }

  /** What is alerted of something that is not listed any more would stay so for ever. */
  #settle(kind: AlertKind, listed: ReadonlySet<string>, text: string): void {
    for (const host of this.#options.book.openHosts(kind))
      if (!listed.has(host)) this.#options.book.judge({ host, kind, isWell: true, text });
  }

  async #send(): Promise<void> {
    const { fleet, outlets } = this.#options;
    const { signal } = this.#ended;
    const arrived = [...this.#arrived];
    if (arrived.length > 0) {
      await fleet.sent(arrived);
      this.#arrived.splice(0, arrived.length);
      for (const alert of arrived) this.#underWay.delete(keyOf(alert));
    }
    const unsent = await fleet.unsentAlerts(Date.now() - GIVE_UP_MS, MAX_WAITING);
    for (const alert of signal.aborted ? [] : unsent) {
      if (this.#underWay.has(keyOf(alert))) continue;
      this.#underWay.add(keyOf(alert));
      const ways = isToldAlready(alert) ? [] : outlets.map((outlet) => outlet.send(alert, signal));
      void Promise.all(ways).then(() => this.#arrived.push(alert));
    }
  }
}

export interface AlertDutyOptions {
  fleet: FleetStore;
  list: { readonly reading: MeshReading | undefined };
  book: AlertBook;
  outlets: readonly Outlet[];
  own: OwnConnections;
  /** What was released, the newest first. */
  rollouts: () => readonly Rollout[];
  onTrouble: (error: Error) => void;
}

const WHOLE_MESH_IS_WELL: Verdict = {
  host: WHOLE_MESH,
  kind: 'server',
  isWell: true,
  text: 'a server can be reached again',
};

function isWatched({ istate }: { istate: Istate }): boolean {
  return istate === ISTATE.running;
}

/** Whoever cannot use the store, or reaches no server, says so directly, and the row is written when it can be. */
function isToldAlready({ host, kind, istate }: Alert): boolean {
  return istate === 1 && (kind === 'store' || (host === WHOLE_MESH && kind === 'server'));
}

function keyOf({ host, kind, atMs }: Alert): string {
  return `${host}\n${kind}\n${atMs}`;
}
