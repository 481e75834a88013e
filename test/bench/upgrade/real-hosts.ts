import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ReleaseMesh } from '../../e2e/release-mesh.ts';
import { freePort } from '../../support/command.ts';
import { Viewpoint } from './viewpoint.ts';

const HOSTS = 5;
const AGENT = 'src/agent/agent.ts';
/** Beyond the end of an interval, so that nothing of the upgrade is still on its way to the history. */
const AFTER_MS = 35_000;
/** Some samples more. */
const SAMPLES_MS = 6_000;
const BURNER = 'setsid sh -c "while :; do :; done" >/dev/null 2>&1 </dev/null &';

export interface Upgraded {
  /** From the moment in which the server is told to end until the rollout is told to be done. */
  tookS: number;
  /** Of a host, as a viewer is told, from its return to the server on. */
  longestGapS: number;
  /** The same while there was no server, and until the host had found the next one. */
  breakS: number;
  /** Time that no interval of a host's history covers, or two do. */
  uncoveredMs: number;
  pidsChanged: number;
}

export interface Stopped {
  /** From the moment in which the server is told to end until the rollout is halted, and all are back. */
  tookS: number;
  reason: string;
  /** The longest that a host was not seen. */
  longestGapS: number;
  /** Hosts that were away at the same time. */
  mostAway: number;
}

/** Hosts with an agent that was deployed to them, a program that uses up a core on each, and somebody who looks on. */
export class RealHosts {
  static readonly count = HOSTS;
  readonly #mesh: ReleaseMesh;
  readonly #view: Viewpoint;

  readonly #progress: (text: string) => void;

  private constructor(mesh: ReleaseMesh, view: Viewpoint, progress: (text: string) => void) {
    this.#mesh = mesh;
    this.#view = view;
    this.#progress = progress;
  }

  static async open(t: TestContext, progress: (text: string) => void): Promise<RealHosts> {
    const port = await freePort();
    const mesh = await ReleaseMesh.open(t, HOSTS, { PROCMESH_SERVER_LISTEN: `0.0.0.0:${port}` });
    await mesh.restart('1.0');
    await mesh.deploy();
    const view = new Viewpoint(`wss://127.0.0.1:${port}/`, mesh.dataDir);
    t.after(() => view.close());
    await view.until(({ state, counts }) => state === 'done' && counts.done === HOSTS);
    for (const host of mesh.hosts) await host.sh(BURNER);
    view.watchHosts();
    await delay(SAMPLES_MS);
    return new RealHosts(mesh, view, progress);
  }

  async upgrade(): Promise<Upgraded> {
    const [mesh, view] = [this.#mesh, this.#view];
    const pids = await mesh.pids();
    mesh.change(AGENT, 'const FIRST_SAMPLE_MS = 400;', 'const FIRST_SAMPLE_MS = 401;');
    const startedAtMs = Date.now();
    await mesh.restart('2.0');
    const doneAtMs = await view.until(
      ({ version, state, counts }) => version === '2.0' && state === 'done' && counts.done === HOSTS,
    );
    this.#progress(view.story(startedAtMs));
    await delay(AFTER_MS);
    const after = await mesh.pids();
    return {
      tookS: (doneAtMs - startedAtMs) / 1_000,
      longestGapS: view.longestGapMs(startedAtMs) / 1_000,
      breakS: view.longestBreakMs(startedAtMs) / 1_000,
      uncoveredMs: mesh.history().reduce((sum, { uncoveredMs }) => sum + Math.abs(uncoveredMs), 0),
      pidsChanged: pids.filter((pid, index) => pid !== after[index]).length,
    };
  }

  /** Releases what breaks when it is loaded. @param condition under which it does. */
  async breakRelease(version: string, condition: string): Promise<Stopped> {
    const [mesh, view] = [this.#mesh, this.#view];
    const broken = `if (${condition}) throw new Error('broken');\n/** Samples one machine`;
    mesh.change(AGENT, '/** Samples one machine', broken);
    const startedAtMs = Date.now();
    await mesh.restart(version);
    const stoppedAtMs = await view.until(
      (rollout) =>
        rollout.version === version &&
        rollout.state === 'halted' &&
        view.away === 0 &&
        rollout.hosts.every(({ hash }) => hash !== rollout.hash),
    );
    await delay(SAMPLES_MS);
    this.#progress(view.story(startedAtMs));
    mesh.restore();
    return {
      tookS: (stoppedAtMs - startedAtMs) / 1_000,
      reason: view.rollout?.reason ?? '',
      longestGapS: view.longestGapMs(startedAtMs) / 1_000,
      mostAway: view.mostAway(startedAtMs),
    };
  }
}
