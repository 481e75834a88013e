import type { Config } from '../config.ts';
import type { ReleaseKey } from '../server/release/release-key.ts';
import { Releases } from '../server/release/releases.ts';
import { VERSION } from './version.ts';

/**
 * The releases of this server, which are opened when they are first wanted: making the bundle takes a checkout a second
 * of CPU time, for which nobody is to wait who wants to connect.
 */
export class OpenedReleases {
  readonly #open: () => Promise<Releases>;
  #opening: Promise<Releases> | undefined;

  /** @param needed as of `ReleasesOptions`. */
  constructor({ dataDir, version }: Config, key: ReleaseKey, needed: () => Promise<readonly string[]>) {
    this.#open = () => Releases.open({ dataDir, version: version || VERSION, key, needed });
  }

  /** Tried again when it failed. @throws Problem */
  get(): Promise<Releases> {
    if (this.#opening === undefined) {
      this.#opening = this.#open();
      this.#opening.catch(() => {
        this.#opening = undefined;
      });
    }
    return this.#opening;
  }

  async close(): Promise<void> {
    const releases = await this.#opening?.catch(() => undefined);
    await releases?.close();
  }
}
