import type { WriteStream } from 'node:tty';
import { rolloutSpans } from '../../tui/rollout-view.ts';
import { clean, fit } from '../../tui/text.ts';
import type { RolloutStatus } from '../protocol/release.ts';
import { progressOf } from './release-report.ts';

/**
 * How a rollout goes on, for people: on a terminal a bar that changes in place, else a line for each change. A host that
 * failed gets a line of its own.
 */
export class RolloutProgress {
  readonly #stream: WriteStream;
  readonly #failed = new Set<string>();
  #text = '';

  constructor(stream: WriteStream) {
    this.#stream = stream;
  }

  show(rollout: RolloutStatus): void {
    const { isTTY, columns } = this.#stream;
    for (const { host, phase, reason } of rollout.hosts) {
      if (phase !== 'failed' || this.#failed.has(host)) continue;
      this.#failed.add(host);
      this.#stream.write(
        `${isTTY ? '\r\x1b[K' : ''}${clean(`${host}: failed, ${reason ?? 'for no reason that is known'}`)}\n`,
      );
    }
    if (isTTY) {
      const bar = rolloutSpans(rollout).map(({ text }) => text);
      this.#text = fit(bar.join(''), columns - 1).trimEnd();
      this.#stream.write(`\r\x1b[K${this.#text}`);
      return;
    }
    const text = clean(`release ${rollout.version}: ${progressOf(rollout)}`);
    if (text !== this.#text) this.#stream.write(`${text}\n`);
    this.#text = text;
  }

  /** Leaves the bar as it is, above whatever is said next. */
  close(): void {
    if (this.#stream.isTTY && this.#text !== '') this.#stream.write('\n');
    this.#text = '';
  }
}
