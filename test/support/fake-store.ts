import type { Point } from '../../src/protocol/series.ts';
import type {
  HistoryAnswer,
  HistoryQuestion,
  HostInterval,
  KnownHost,
  Peaks,
  SeriesQuestion,
  Store,
} from '../../src/store/store.ts';

/** A store in memory that answers as a test tells it to. */
export class FakeStore implements Store {
  readonly written: HostInterval[] = [];
  readonly questions: HistoryQuestion[] = [];
  readonly pruned: { beforeMs: number; maxRows: number }[] = [];
  known: KnownHost[] = [];
  answer: HistoryAnswer = { atMs: 0, rows: [], hosts: [], incomplete: [] };
  points: Point[] = [];
  peakTimes: Peaks | undefined;
  isClosed = false;
  /** Resolves or rejects each write, before anything of it is kept. */
  onWrite: (batch: readonly HostInterval[]) => Promise<void> = async () => undefined;
  onRead: () => Promise<void> = async () => undefined;
  onPrune: () => Promise<number> = async () => 0;

  async write(batch: readonly HostInterval[]): Promise<void> {
    await this.onWrite(batch);
    this.written.push(...batch);
  }

  async processes(question: HistoryQuestion): Promise<HistoryAnswer> {
    this.questions.push(question);
    await this.onRead();
    return this.answer;
  }

  hosts(question: HistoryQuestion): Promise<HistoryAnswer> {
    return this.processes(question);
  }

  async series(question: SeriesQuestion): Promise<Point[]> {
    this.questions.push(question);
    await this.onRead();
    return this.points;
  }

  async peaks(): Promise<Peaks | undefined> {
    await this.onRead();
    return this.peakTimes;
  }

  async knownHosts(): Promise<KnownHost[]> {
    return this.known;
  }

  async prune(beforeMs: number, maxRows: number): Promise<number> {
    this.pruned.push({ beforeMs, maxRows });
    return this.onPrune();
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}
