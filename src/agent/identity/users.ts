import { KernelText, readWhole } from '../../procfs/kernel-file.ts';

/** After a number without a name, the file is read again at the earliest this much later. */
const REREAD_MS = 60_000;

/** Names of users by number, from the host's passwd file; a number that is not in it is its own name. */
export class Users {
  readonly #path: string;
  readonly #text = new KernelText();
  #names = new Map<number, string>();
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(passwdPath: string) {
    this.#path = passwdPath;
  }

  name(uid: number, nowMs: number): string {
    const known = this.#names.get(uid);
    if (known !== undefined) return known;
    if (nowMs - this.#readAtMs > REREAD_MS) {
      this.#readAtMs = nowMs;
      if (readWhole(this.#path, this.#text) === undefined) this.#names = parsePasswd(this.#text.toString());
    }
    return this.#names.get(uid) ?? String(uid);
  }
}

/** passwd(5), `mysql:x:999:999:…`; of several names for one number the first holds. */
export function parsePasswd(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (name && uid && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}
