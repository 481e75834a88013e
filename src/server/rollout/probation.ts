import type { Beat } from '../../protocol/message.ts';
import type { AgentConnection } from '../registry.ts';
import { Gate } from './gate.ts';
import type { ReleaseSettings } from './release-settings.ts';

export interface ProbationOptions {
  connection: AgentConnection;
  /** Of the release that is on trial there. */
  serial: number;
  settings: () => ReleaseSettings;
  /** As agents are told. */
  sampleMs: () => number;
  onFailed: (reason: string) => void;
}

/** The trial of a release on one agent, over one connection: what it does decides whether the release stays. */
export class Probation {
  readonly #options: ProbationOptions;
  readonly #gate = new Gate(performance.now());
  #isDecided = false;

  constructor(options: ProbationOptions) {
    this.#options = options;
  }

  /** The agent was told what becomes of the release. */
  get isDecided(): boolean {
    return this.#isDecided;
  }

  beat(beat: Beat): void {
    this.#gate.beat(beat, performance.now());
    this.check();
  }

  acknowledged(endMs: number): void {
    this.#gate.acknowledged(endMs);
    this.check();
  }

  /** This server itself heard nobody meanwhile. */
  excuse(): void {
    this.#gate.excuse(performance.now());
  }

  /** To be called every second, too. */
  check(): void {
    if (this.#isDecided) return;
    const { connection, serial, settings, sampleMs, onFailed } = this.#options;
    const judgement = this.#gate.judge(settings(), sampleMs(), performance.now());
    if (judgement === undefined) return;
    if (!judgement.isWell) {
      this.revert(judgement.reason);
      onFailed(judgement.reason);
      return;
    }
    this.#isDecided = true;
    connection.send({ type: 'confirm', serial });
  }

  revert(reason: string): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    const { connection, serial } = this.#options;
    connection.send({ type: 'revert', serial, reason });
  }
}
