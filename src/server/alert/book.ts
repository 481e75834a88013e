import { EventEmitter } from 'node:events';
import { cut } from '../../alert-channel/text.ts';
import type { Alert, FleetStore } from '../../store/fleet.ts';
import { AlertLedger } from './ledger.ts';
import { CALM_MS, MOST_TIMES, pauseMs } from './pace.ts';
import { type AlertKind, type Verdict, WHOLE_MESH } from './verdict.ts';

/** The last word on a host and kind, as this server knows it. */
interface Entry {
  host: string;
  kind: string;
  isOpen: boolean;
  /** Of the last word, epoch ms, a whole second. */
  atMs: number;
  /** When it was alerted that is open, epoch ms; undefined: not known. */
  openedMs: number | undefined;
  /** How often it was alerted since it was last calm, and when last, by the monotonic clock. */
  times: number;
  toldAt: number;
  /** Since when it is well, by the monotonic clock. */
  wellAt: number;
  /** What was alerted since it opened. */
  texts: string[];
}

/** Open alerts are remembered for as long as this over a restart. */
const RECALL_MS = 30 * 86_400_000;
/** How often it is looked what other servers have said, and how far back. */
const REFRESH_MS = 60_000;
const REFRESH_BACK_MS = 60 * 60_000;
const RETRY_MS = 5_000;
/** A deployment that fails each time for another reason is not told without end. */
const MOST_REASONS = 5;
/** Parts of it may come from a host. */
const MAX_REMARK_BYTES = 500;

/**
 * Makes few words of many verdicts: an alert when something begins, a few reminders while it lasts (pace.ts), one word
 * when it is over. Something that comes and goes is alerted as seldom as a reminder would come. What was said is in the
 * store, and read back from it: by this server after a restart, and by others.
 */
export class AlertBook extends EventEmitter<{ told: [Alert] }> {
  readonly #fleet: FleetStore;
  readonly #ledger: AlertLedger;
  readonly #onTrouble: (error: Error) => void;
  readonly #entries = new Map<string, Entry>();
  #isRecalled = false;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: { fleet: FleetStore; onTrouble: (error: Error) => void }) {
    super();
    this.#fleet = options.fleet;
    this.#onTrouble = options.onTrouble;
    this.#ledger = new AlertLedger(options);
  }

  /** Reads back what was said; until that is done only the store itself can be alerted. */
  start(): Promise<void> {
    return this.#refresh();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#ledger.close();
  }

  /** The store does not have all yet that was said. */
  get isWriting(): boolean {
    return this.#ledger.isWriting;
  }

  judge(verdict: Verdict): void {
    if (!this.#isRecalled && verdict.kind !== 'store') return;
    const entry = this.#entries.get(keyOf(verdict));
    if (verdict.isWell) {
      if (entry?.isOpen) this.#recover(entry, verdict.text);
    } else if (this.#isDue(entry, verdict)) this.#alert(entry, verdict);
  }

  /** Hosts of which something of that kind is alerted and not over. */
  openHosts(kind: AlertKind): string[] {
    return [...this.#entries.values()].filter((entry) => entry.isOpen && entry.kind === kind).map(({ host }) => host);
  }

  #isDue(entry: Entry | undefined, { reason, isOfAct }: Verdict): boolean {
    if (entry === undefined) return true;
    const isRested = performance.now() - entry.toldAt >= pauseMs(entry.times);
    const isNew = reason !== undefined && !entry.texts.some((text) => text.includes(reason));
    if (isNew && isOfAct) return true;
    if (!entry.isOpen) return isRested;
    if (reason === undefined) return isRested && entry.times < MOST_TIMES;
    return isNew && entry.texts.length < MOST_REASONS;
  }

  #alert(known: Entry | undefined, { host, kind, text, reason }: Verdict): void {
    const atMs = secondAfter(known);
    const entry = known ?? {
      host,
      kind,
      isOpen: false,
      atMs,
      openedMs: atMs,
      times: 0,
      toldAt: 0,
      wellAt: 0,
      texts: [],
    };
    if (!entry.isOpen) Object.assign(entry, { isOpen: true, openedMs: atMs, texts: [] });
    entry.texts.push(text);
    if (entry.texts.length > MOST_REASONS) entry.texts.shift();
    entry.times += 1;
    entry.atMs = atMs;
    entry.toldAt = performance.now();
    this.#entries.set(keyOf(entry), entry);
    this.#tell({ host, kind, istate: 1, remarks: text, atMs }, reason);
  }

  #recover(entry: Entry, text: string): void {
    const atMs = secondAfter(entry);
    Object.assign(entry, { isOpen: false, atMs, wellAt: performance.now() });
    const { openedMs } = entry;
    const remarks = openedMs === undefined ? text : `${text}, it took ${duration(atMs - openedMs)}`;
    this.#tell({ host: entry.host, kind: entry.kind, istate: 0, remarks, atMs });
  }

  #tell({ remarks, ...said }: Alert, reason?: string): void {
    const alert = { ...said, remarks: cut(remarks, MAX_REMARK_BYTES) };
    this.#ledger.add(alert, reason);
    this.emit('told', alert);
  }

  async #refresh(): Promise<void> {
    try {
      const backMs = this.#isRecalled ? REFRESH_BACK_MS : RECALL_MS;
      for (const alert of await this.#fleet.lastAlerts(Date.now() - backMs)) this.#adopt(alert);
      this.#isRecalled = true;
    } catch (error) {
      this.#onTrouble(error instanceof Error ? error : new Error(String(error)));
    }
    this.#forgetCalm();
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#refresh(), this.#isRecalled ? REFRESH_MS : RETRY_MS);
  }

  /** How often it was said is not known: one reminder is left, after the longest pause. */
  #adopt({ host, kind, istate, atMs, remarks }: Alert): void {
    const known = this.#entries.get(keyOf({ host, kind }));
    if (known !== undefined && known.atMs >= atMs) return;
    const isOpen = istate === 1;
    // What is read after a restart may be a reminder, and agents date their word on the whole mesh by five minutes.
    const openedMs = this.#isRecalled && host !== WHOLE_MESH ? atMs : undefined;
    const agoMs = Math.max(Date.now() - atMs, 0);
    const saidAt = performance.now() - agoMs;
    this.#entries.set(keyOf({ host, kind }), {
      ...{ host, kind, isOpen, atMs },
      openedMs: known?.isOpen && isOpen ? known.openedMs : openedMs,
      times: isOpen ? MOST_TIMES - 1 : 1,
      toldAt: saidAt,
      wellAt: saidAt,
      texts: [remarks],
    });
  }

  #forgetCalm(): void {
    const calmAt = performance.now() - CALM_MS;
    for (const [key, { isOpen, wellAt }] of this.#entries) if (!isOpen && wellAt <= calmAt) this.#entries.delete(key);
  }
}

function keyOf({ host, kind }: { host: string; kind: string }): string {
  return `${host}\n${kind}`;
}

/** Of one host, kind and second the store keeps one word. */
function secondAfter(entry: Entry | undefined): number {
  return Math.max(Math.floor(Date.now() / 1000) * 1000, entry === undefined ? 0 : entry.atMs + 1000);
}

/** `40 s`, `12 min`, `3 h`. */
export function duration(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}
