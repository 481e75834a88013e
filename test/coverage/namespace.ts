import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { findProgram } from '../support/requirements.ts';

/** Addresses of the two ends of the pair. */
interface Ends {
  /** In the namespace of this process. */
  near: string;
  /** In the namespace that was made. */
  far: string;
}

/** A network namespace of this run's own and a pair of virtual cards, one in it and one here. */
export class Namespace {
  readonly name = `pmc-${process.pid}`;
  /** The card on this side. */
  readonly device = `pmc${process.pid}n`;
  readonly v4: Ends;
  readonly v6: Ends;
  readonly #ip: string;

  private constructor(ip: string) {
    this.#ip = ip;
    // 198.18/15 is for measuring networks (RFC 2544), so nobody's own addresses are in the way; fd00::/8 is anybody's.
    const net = process.pid % 16_384;
    const base = `198.18.${net >> 6}.${(net & 63) << 2}`.split('.');
    const host = (last: number): string => [...base.slice(0, 3), Number(base[3]) + last].join('.');
    const prefix = `fd70:6d63:${net.toString(16)}::`;
    this.v4 = { near: host(1), far: host(2) };
    this.v6 = { near: `${prefix}1`, far: `${prefix}2` };
  }

  /** @throws Error with what `ip` said; wants root. */
  static async open(): Promise<Namespace> {
    const namespace = new Namespace(findProgram('ip') ?? 'ip');
    try {
      await namespace.#make();
    } catch (error) {
      namespace.close();
      throw error;
    }
    return namespace;
  }

  /** The command, run in the namespace; it keeps the pid that it is started with. */
  inside(command: readonly string[]): string[] {
    return [this.#ip, 'netns', 'exec', this.name, ...command];
  }

  /** Both cards go with the namespace. */
  close(): void {
    for (const step of [
      ['link', 'del', this.device],
      ['netns', 'del', this.name],
    ])
      try {
        execFileSync(this.#ip, step, { stdio: 'ignore' });
      } catch {
        // What could not be made need not go.
      }
  }

  async #make(): Promise<void> {
    const far = `pmc${process.pid}f`;
    for (const step of [
      ['netns', 'add', this.name],
      ['link', 'add', this.device, 'type', 'veth', 'peer', 'name', far, 'netns', this.name],
      ['address', 'add', `${this.v4.near}/30`, 'dev', this.device],
      // Without looking for duplicates the address can be used at once.
      ['address', 'add', `${this.v6.near}/64`, 'dev', this.device, 'nodad'],
      ['link', 'set', this.device, 'up'],
      ['-n', this.name, 'address', 'add', `${this.v4.far}/30`, 'dev', far],
      ['-n', this.name, 'address', 'add', `${this.v6.far}/64`, 'dev', far, 'nodad'],
      ['-n', this.name, 'link', 'set', far, 'up'],
      ['-n', this.name, 'link', 'set', 'lo', 'up'],
    ])
      await promisify(execFile)(this.#ip, step);
  }
}
