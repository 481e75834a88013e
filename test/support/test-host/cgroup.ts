import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const KEEPER = fileURLToPath(new URL('cgroup.sh', import.meta.url));

/**
 * A control group (cgroup2) for a host, which is taken away with everything that runs in it after the test, or when this
 * process ends: unlike namespaces, groups stay when nobody is in them any more.
 */
export class HostCgroup {
  /** Of its folder, in that of this process's own group. */
  readonly name: string;
  readonly #keeper: ChildProcess;

  private constructor(name: string, keeper: ChildProcess) {
    this.name = name;
    this.#keeper = keeper;
  }

  /** @param folder empty, for the time the host lives. */
  static async make(t: TestContext, folder: string): Promise<HostCgroup> {
    // In a session of its own, it outlives what a terminal ends.
    const keeper = spawn('unshare', ['--mount', 'sh', KEEPER, folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    });
    const exit = once(keeper, 'exit').then(([code]) => Promise.reject(new Error(`no control group: ${code}`)));
    const name = await Promise.race([once(keeper.stdout, 'data'), exit]);
    exit.catch(() => undefined);
    const cgroup = new HostCgroup(String(name).trim(), keeper);
    t.after(() => cgroup.remove());
    return cgroup;
  }

  async remove(): Promise<void> {
    if (this.#keeper.exitCode !== null || this.#keeper.signalCode !== null) return;
    const exit = once(this.#keeper, 'exit');
    this.#keeper.stdin?.end();
    await exit;
  }
}
