import { EventEmitter } from 'node:events';
import type { Channel } from '../../alert-channel/channel.ts';
import type { Beat } from '../../protocol/message.ts';
import type { Alert, FleetStore } from '../../store/fleet.ts';
import type { Rollout } from '../../store/rollout.ts';
import type { Ingest } from '../ingest.ts';
import type { Registry } from '../registry.ts';
import { AlertBook } from './book.ts';
import { AlertDuty, type AlertDutyOptions } from './duty.ts';
import { OutboxRule } from './outbox-rule.ts';
import { Outlet } from './outlet.ts';
import { ReachRule } from './reach-rule.ts';
import { Saturation, type SaturationLimits } from './saturation.ts';
import { judgeStore } from './store-rule.ts';
import type { Verdict } from './verdict.ts';

const CHECK_MS = 5_000;

export interface AlertsOptions {
  serverName: string;
  fleet: FleetStore;
  list: AlertDutyOptions['list'];
  registry: Registry;
  ingest: Ingest;
  channels: readonly Channel[];
  saturation: SaturationLimits;
  /** What was released, the newest first. */
  rollouts: () => readonly Rollout[];
  onTrouble: (error: Error) => void;
}

/** What a server alerts of its own hosts and of its store; what it does for the whole mesh is its `duty`. */
export class Alerts extends EventEmitter<{ told: [Alert] }> {
  /** To be started by whoever holds the lease, and stopped when it is lost. */
  readonly duty: AlertDuty;
  readonly #options: AlertsOptions;
  readonly #book: AlertBook;
  readonly #outlets: readonly Outlet[];
  readonly #saturation: Saturation;
  readonly #outboxRule = new OutboxRule();
  readonly #reachRule = new ReachRule();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AlertsOptions) {
    super();
    this.setMaxListeners(0);
    this.#options = options;
    const { serverName, fleet, list, registry, channels, saturation, rollouts, onTrouble } = options;
    this.#saturation = new Saturation(saturation);
    this.#book = new AlertBook({ fleet, onTrouble });
    this.#outlets = channels.map((channel) => new Outlet(channel, onTrouble));
    const own = { server: serverName, has: (host: string) => registry.connectionOf(host) !== undefined };
    this.duty = new AlertDuty({ fleet, list, book: this.#book, outlets: this.#outlets, own, rollouts, onTrouble });
    this.#book.on('told', (alert) => this.#onTold(alert));
    registry.on('connected', (host, { hello }) => this.#outboxRule.hello(host, hello.outbox, performance.now()));
    registry.on('disconnected', (host) => this.#saturation.forget(host));
    registry.on('unreachable', (host, unreachable) => this.#reachRule.report(host, unreachable, performance.now()));
    registry.on('beat', (host, beat) => this.#onBeat(host, beat));
  }

  start(): void {
    void this.#book.start();
    this.#timer = setTimeout(() => void this.#check(), CHECK_MS);
  }

  /** What the channels have not taken is sent by whoever does the duty next. */
  stop(): void {
    this.duty.stop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#book.stop();
    for (const outlet of this.#outlets) outlet.close();
  }

  changeSaturation(limits: SaturationLimits): void {
    this.#saturation.change(limits);
  }

  #onBeat(host: string, beat: Beat): void {
    const now = performance.now();
    this.#judge(this.#saturation.add(host, beat, now) ?? []);
    if (beat.droppedIntervals !== undefined) this.#outboxRule.count(host, beat.droppedIntervals, now);
  }

  async #check(): Promise<void> {
    const { fleet, ingest, serverName, onTrouble } = this.#options;
    const now = performance.now();
    this.#judge(judgeStore(serverName, ingest.failing));
    this.#judge(this.#outboxRule.judge(now));
    try {
      // That its agents came back to it after a break is no news.
      const others = async () => (await fleet.servers()).filter(({ name }) => name !== serverName);
      if (this.#reachRule.hasReports) this.#judge(this.#reachRule.judge(await others(), now));
    } catch (error) {
      onTrouble(error instanceof Error ? error : new Error(String(error)));
    }
    if (this.#timer !== undefined) this.#timer = setTimeout(() => void this.#check(), CHECK_MS);
  }

  #judge(verdicts: readonly Verdict[]): void {
    for (const verdict of verdicts) this.#book.judge(verdict);
  }

  /** The store cannot pass on that it takes nothing. */
  #onTold(alert: Alert): void {
    if (alert.kind === 'store' && alert.istate === 1) for (const outlet of this.#outlets) void outlet.send(alert);
    this.emit('told', alert);
  }
}
