import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { copyCheckout } from '../../support/checkout.ts';
import { Command, cleanEnvironment } from '../../support/command.ts';
import { scratchFolder } from '../../support/scratch.ts';

/** A server that runs from a checkout of its own, whose code can be changed between two starts. */
export class ServerCheckout {
  readonly port: number;
  readonly dataDir: string;
  readonly #t: TestContext;
  readonly #folder: string;
  readonly #environment: NodeJS.ProcessEnv;
  #server: Command | undefined;

  constructor(t: TestContext, port: number, settings: NodeJS.ProcessEnv) {
    this.#t = t;
    this.port = port;
    this.dataDir = scratchFolder(t);
    this.#folder = copyCheckout(t);
    this.#environment = {
      HOME: scratchFolder(t),
      PROCMESH_GLOBAL_DATA_DIR: this.dataDir,
      PROCMESH_SERVER_LISTEN: `127.0.0.1:${port}`,
      ...settings,
    };
  }

  get url(): string {
    return `wss://127.0.0.1:${this.port}/`;
  }

  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  change(file: string, from: string, to: string): void {
    const path = join(this.#folder, file);
    writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
  }

  /** Stops the server, if there is one, and starts what the checkout is by now. */
  async restart(version: string): Promise<void> {
    await this.#server?.kill('SIGTERM');
    this.#server = new Command(this.#t, process.execPath, [join(this.#folder, 'src', 'main.ts'), 'server'], {
      env: cleanEnvironment({ ...this.#environment, PROCMESH_GLOBAL_VERSION: version }),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    await this.#server.ready();
  }
}
