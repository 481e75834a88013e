import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import type { TestHost } from '../support/test-host/test-host.ts';
import { until } from './mesh.ts';
import { ReleaseMesh, type Status } from './release-mesh.ts';

const DATA = '/opt/procmesh/data';
const SETTINGS = {
  PROCMESH_GLOBAL_INTERVAL_TIME: '2',
  PROCMESH_GLOBAL_SAMPLE_TIME: '1',
  PROCMESH_RELEASE_HEALTH_TIME: '2',
};

const UPGRADER = 'src/agent/upgrade/upgrader.ts';
/** A place in the agent's code before which it is stopped, in the order in which an upgrade comes to them. */
const STEPS: readonly { step: string; file: string; before: string }[] = [
  { step: 'receives', file: 'src/agent/upgrade/receive.ts', before: 'offset += data.length;' },
  { step: 'has it whole', file: UPGRADER, before: "this.#enter(work, 'testing');" },
  { step: 'tests it', file: 'src/agent/upgrade/run-self-test.ts', before: "let said = '';" },
  { step: 'has tested it', file: UPGRADER, before: 'await beginTrial(installation, trial);' },
  {
    step: 'has written the trial',
    file: 'src/agent/upgrade/trial.ts',
    before: "await linkDurably(installation.current, join('releases', trial.hash));",
  },
  { step: 'has flipped', file: UPGRADER, before: "process.kill(this.#checkLauncher(), 'SIGUSR1');" },
  { step: 'hands over', file: UPGRADER, before: 'await handOver();' },
  { step: 'has handed over', file: 'src/agent/upgrade/restart.ts', before: 'return execve(' },
  { step: 'has begun with it', file: 'src/cli/agent.ts', before: 'agent.start();' },
  { step: 'is on trial', file: 'src/agent/link.ts', before: 'this.#welcomed = true;' },
  { step: 'is confirmed', file: UPGRADER, before: 'if (this.#trial !== undefined) await this.#endTrial(this.#trial);' },
  {
    step: 'takes the old one away',
    file: UPGRADER,
    before: 'await prune(installation, [running.hash, trial.previous]);',
  },
];
type Step = (typeof STEPS)[number]['step'];

/** Before each step it looks whether it is to stop there, and does so as SIGSTOP has it. */
const STOP_AT = `
(globalThis as any).stopAt = (step: string): void => {
  try {
    if (readFileSync('data/stop-at', 'utf8') !== step) return;
    if (step === 'is on trial' && !existsSync('data/trial')) return;
    renameSync('data/stop-at', 'data/stopped');
  } catch {
    return;
  }
  process.kill(process.pid, 'SIGSTOP');
};
`;

/** Who is killed; `host`: all that runs there, as when its power fails. */
type Victim = 'agent' | 'launcher' | 'host' | 'server';
type Init = 'shell' | 'systemd';

/** What a host that did not stay on the release says of it. */
const REASON = {
  agent: /: (it was ended by SIGKILL|it came back with the release before, and gives no reason)$/,
  launcher: /: (its launcher is gone|its trial was cut short, as launcher or machine stopped|it came back with the)/,
  host: /: (its trial was cut short, as launcher or machine stopped|it came back with the release before, and)/,
  server: /^never$/,
};

/** Hosts whose agents can be stopped at any step of an upgrade. */
class Victims {
  readonly mesh: ReleaseMesh;
  readonly #init: Init;
  #version = 1;

  private constructor(mesh: ReleaseMesh, init: Init) {
    this.mesh = mesh;
    this.#init = init;
  }

  static async open(t: TestContext, hostCount: number, init: Init): Promise<Victims> {
    const mesh = await ReleaseMesh.open(t, hostCount, SETTINGS, init);
    const victims = new Victims(mesh, init);
    victims.#prepare();
    await mesh.restart('1.0');
    await mesh.deploy();
    return victims;
  }

  #prepare(): void {
    const { mesh } = this;
    mesh.restore();
    const imports = "import { existsSync, readFileSync, renameSync } from 'node:fs';\n";
    mesh.change('src/agent/upgrade/upgrade-error.ts', '/** A release', `${imports}${STOP_AT}/** A release`);
    for (const { step, file, before } of STEPS)
      mesh.change(file, before, `(globalThis as any).stopAt('${step}'); ${before}`);
    mesh.change('src/cli/agent.ts', 'it ends for good', `it ends for good, ${this.#version}`);
  }

  /** Kills it when the first agent has come to that step. @returns how the rollout ended. */
  async kill(victim: Victim, step: Step): Promise<Status> {
    const { mesh } = this;
    const [before = ''] = await mesh.releases();
    this.#version += 1;
    const version = `${this.#version}.0`;
    this.#prepare();
    for (const host of mesh.hosts) writeFileSync(host.path(`${DATA}/stop-at`), step);
    await mesh.restart(version);
    await this.#kill(victim, await this.#stopped(), version);
    const newest = await mesh.settled(
      ({ state, counts }) => state === 'halted' || (state === 'done' && counts.done === mesh.hosts.length),
    );
    const expected = newest.state === 'done' ? newest.hash : before;
    await until(async () => (await mesh.releases()).every((release) => release === expected));
    for (const host of mesh.hosts) await hasOneAgent(host);
    await until(async () => {
      const { rows } = JSON.parse((await mesh.run('hosts', '--json')).stdout);
      return rows.every(({ status }: { status: string }) => status === 'online');
    });
    return newest;
  }

  async #stopped(): Promise<TestHost> {
    for (;;)
      for (const host of this.mesh.hosts)
        if ((await host.sh(`rm ${DATA}/stopped 2>/dev/null && echo stopped || :`)) !== '') return host;
  }

  async #kill(victim: Victim, host: TestHost, version: string): Promise<void> {
    const { mesh } = this;
    const [agent, launcher] = await pidsOf(host);
    if (victim === 'server') await mesh.crash();
    else await host.sh(`kill -9 ${{ agent, launcher, host: `${agent} ${launcher}` }[victim]}`);
    for (const each of mesh.hosts) await each.sh(`cd ${DATA}; rm -f stop-at; kill -CONT $(cat agent.pid) || :`);
    // What cron does every minute.
    if (victim === 'launcher' && this.#init === 'shell') await host.sh(`${DATA}/../keep-running`);
    if (victim === 'server') await mesh.restart(version);
  }
}

async function pidsOf(host: TestHost): Promise<[agent: string, launcher: string]> {
  const text = await host.sh(`cd ${DATA}; cat agent.pid launcher.pid`);
  return text.trim().split('\n') as [string, string];
}

/** It is the child of the launcher that claims to be it. */
async function hasOneAgent(host: TestHost): Promise<void> {
  await until(async () => {
    const found = await host.sh("ps -eo pid=,ppid=,args= | grep '[p]rocmesh-agent' || :");
    const [agent, launcher] = await pidsOf(host);
    return found.trim().split('\n').length === 1 && new RegExp(`^ *${agent} +${launcher} `).test(found);
  });
}

interface Circumstances {
  init?: Init;
  hostCount?: number;
  steps?: readonly Step[];
}

async function killAtEachStep(
  t: TestContext,
  victim: Victim,
  { init = 'shell', hostCount = 1, steps = STEPS.map(({ step }) => step) }: Circumstances = {},
): Promise<void> {
  const victims = await Victims.open(t, hostCount, init);
  for (const step of steps)
    await t.test(step, async () => {
      const { state, reason = '' } = await victims.kill(victim, step);
      t.diagnostic(`${step}: ${state} ${reason}`);
      if (state === 'halted') assert.match(reason, REASON[victim]);
    });
}

describe('a host that is upgraded comes back with one of two releases', { timeout: 400_000, concurrency: 3 }, () => {
  it('when its agent is killed at any step', (t) => killAtEachStep(t, 'agent'));

  it('when its launcher is', (t) =>
    killAtEachStep(t, 'launcher', {
      steps: ['tests it', 'has tested it', 'has written the trial', 'hands over', 'has begun with it', 'is confirmed'],
    }));

  it('when its power fails, under systemd', (t) =>
    killAtEachStep(t, 'host', {
      init: 'systemd',
      steps: ['has written the trial', 'has flipped', 'has begun with it', 'is on trial'],
    }));

  it('when the server is, which goes on where the rollout was', (t) =>
    killAtEachStep(t, 'server', {
      hostCount: 3,
      steps: ['receives', 'has flipped', 'is on trial', 'is confirmed'],
    }));
});
