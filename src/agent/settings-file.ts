import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type Settings, settingsSchema } from '../protocol/message.ts';

/** The settings of the last connection, so that an agent that starts before its server keeps measuring as told. */
export class SettingsFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns undefined when there are none, or none that can be read. */
  read(): Settings | undefined {
    try {
      return settingsSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
    } catch {
      return undefined;
    }
  }

  /** @throws what the file system throws. */
  write(settings: Settings): void {
    writeFileSync(`${this.#path}.partial`, JSON.stringify(settings), { mode: 0o600 });
    renameSync(`${this.#path}.partial`, this.#path);
  }
}
