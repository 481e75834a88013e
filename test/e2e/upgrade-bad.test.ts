import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Command } from '../support/command.ts';
import { until } from './mesh.ts';
import { ReleaseMesh } from './release-mesh.ts';

const SETTINGS = {
  PROCMESH_GLOBAL_INTERVAL_TIME: '2',
  PROCMESH_GLOBAL_SAMPLE_TIME: '1',
  PROCMESH_RELEASE_HEALTH_TIME: '3',
};
/** Of releases that only the end of their trial can end. */
const SHORT_TRIAL = { PROCMESH_RELEASE_TRIAL_TIME: '10' };

/** Room for some releases, and for one runtime. */
const DISK_MB = 300;

interface Bad {
  title: string;
  /** What the status and the alert say. */
  reason: RegExp;
  /** File of the checkout, what is in it, and what is there instead. */
  changes?: [file: string, from: string, to: string][];
  settings?: NodeJS.ProcessEnv;
  /** The host that fails goes back with the same process, without a gap; false: the launcher has begun anew. */
  isSeamless?: boolean;
}

const AGENT = 'src/agent/agent.ts';
const START = '    this.#link.connect();\n';
const CONTENT = 'src/server/release/content-reader.ts';
const CHUNK = 'content?.subarray(offset, offset + MAX_CHUNK_BYTES)';
const TRANSFER = 'src/server/rollout/transfer.ts';
const PUSH = "connection.send({ type: 'upgrade'";
const OUTSIDE_OF_TEST = "process.argv.includes('--self-test')";

const NEVER_BEGUN: readonly Bad[] = [
  {
    title: 'crashes at import',
    changes: [[AGENT, 'export class Agent', "throw new Error('broken at import');\nexport class Agent"]],
    reason: /^its self-test fails: Error: broken at import$/,
  },
  {
    title: 'has a wrong signature',
    changes: [['src/server/release/release-key.ts', 'Buffer.from(text), key)', 'Buffer.from(text).reverse(), key)']],
    reason: /^its signature is not one of the release key that is pinned on this host$/,
  },
  {
    title: 'comes truncated',
    changes: [[CONTENT, CHUNK, 'content?.subarray(offset, Math.min(offset + MAX_CHUNK_BYTES, bytes - 1_000))']],
    reason: /^the server sends 0 bytes of agent\S*\.mjs, of which 1000 are left$/,
  },
  {
    title: 'comes with other contents',
    changes: [[CONTENT, CHUNK, `content && Buffer.from(${CHUNK.replace('?', '')}.map((byte) => 255 - byte))`]],
    reason: /^agent\S*\.mjs arrives with other contents than the manifest says$/,
  },
];

const BEGUN: readonly Bad[] = [
  {
    title: 'crashes at import, but not when it is tested',
    changes: [
      [AGENT, 'export class Agent', `if (!${OUTSIDE_OF_TEST}) throw new Error('broken in use');\nexport class Agent`],
    ],
    reason: /^it ended with 1: .*broken in use/,
    isSeamless: false,
  },
  {
    title: 'crashes after 5 s',
    changes: [[AGENT, START, `${START}    setTimeout(() => { throw new Error('broken later'); }, 5_000);\n`]],
    settings: { PROCMESH_RELEASE_HEALTH_TIME: '8' },
    reason: /^it ended with 1: .*broken later/,
    isSeamless: false,
  },
  {
    title: 'never connects',
    changes: [[AGENT, START, '']],
    settings: SHORT_TRIAL,
    reason: /^it was not confirmed within 10 s$/,
    isSeamless: false,
  },
  {
    title: 'connects and sends nothing',
    changes: [
      [
        'src/agent/link.ts',
        'return this.#welcomed && this.#socket.send(JSON.stringify(message), MAX_UNSENT_BYTES);',
        'return true;',
      ],
      ['src/agent/link.ts', 'await this.#delivery.run();', ''],
    ],
    reason: /^it is connected and sends nothing for \d s$/,
  },
  {
    title: 'is busy most of the time',
    changes: [
      [
        AGENT,
        START,
        `${START}    setInterval(() => { const end = Date.now() + 900; while (Date.now() < end); }, 1_000);\n`,
      ],
    ],
    reason: /^it uses \d+ % of a core, 25 % is allowed$/,
  },
  {
    title: 'hangs',
    changes: [[AGENT, START, `${START}    setTimeout(() => { for (;;); }, 2_000);\n`]],
    settings: SHORT_TRIAL,
    reason: /^it is connected and sends nothing for \d s$/,
    isSeamless: false,
  },
  {
    title: 'uses too much memory',
    changes: [[AGENT, START, `${START}    Object.assign(globalThis, { hoard: Buffer.alloc(400e6, 1) });\n`]],
    reason: /^it uses \d{3} MB of memory, 300 MB is allowed$/,
  },
];

interface Line {
  time: string;
  msg: string;
  host?: string;
  kind?: string;
}

/** What a server logged. */
function linesOf(server: Command): Line[] {
  return server.stderr.text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** The longest time that a host was away, in ms, between its first connection and its last. */
function awayMs(server: Command, host: string): number {
  const times = connectionsOf(server, host).map(({ time }) => Date.parse(time));
  return times.reduce(
    (longest, time, i) => (i % 2 === 0 && i > 0 ? Math.max(longest, time - (times[i - 1] as number)) : longest),
    0,
  );
}

function connectionsOf(server: Command, host: string): Line[] {
  return linesOf(server).filter((line) => line.host === host && /^agent (dis)?connected$/.test(line.msg));
}

/** Of each host what no interval covers, once there is one that ended just now. */
async function uncovered(mesh: ReleaseMesh): Promise<Map<string, number>> {
  const now = Date.now();
  const isNew = ({ endMs }: { endMs: number }): boolean => endMs > now;
  await until(() => mesh.history().filter(isNew).length === mesh.hosts.length);
  return new Map(mesh.history().map(({ host, uncoveredMs }) => [host, uncoveredMs]));
}

/** A mesh on its first release, to which bad ones are given. */
class Releaser {
  readonly mesh: ReleaseMesh;
  readonly #t: TestContext;
  readonly #good: string;
  #version = 1;
  /** As it was after the last one. */
  #uncovered: Map<string, number> | undefined;

  private constructor(t: TestContext, mesh: ReleaseMesh, good: string) {
    this.#t = t;
    this.mesh = mesh;
    this.#good = good;
  }

  static async open(t: TestContext): Promise<Releaser> {
    const mesh = await ReleaseMesh.open(t, 3, SETTINGS);
    await Promise.all(mesh.hosts.map((host) => host.limitDisk('/opt/procmesh', DISK_MB)));
    await mesh.restart('1.0');
    await mesh.deploy();
    const [good = ''] = await mesh.releases();
    return new Releaser(t, mesh, good);
  }

  /** Other code, and the server with it. */
  async release(
    changes: Bad['changes'] = [],
    settings: NodeJS.ProcessEnv = {},
  ): Promise<{ server: Command; version: string }> {
    const { mesh } = this;
    this.#version += 1;
    mesh.restore();
    mesh.change('src/cli/agent.ts', 'it ends for good', `it ends for good, ${this.#version}`);
    for (const change of changes) mesh.change(...change);
    const version = `${this.#version}.0`;
    return { version, server: await mesh.restart(version, settings) };
  }

  /** What a host was sent when it got the newest one. */
  async record(): Promise<string> {
    const { hash } = await this.mesh.status();
    const read = async (file: string): Promise<string> => {
      const texts = this.mesh.hosts.map((host) =>
        host.sh(`cat /opt/procmesh/releases/${hash}/${file} 2>/dev/null || :`),
      );
      return (await Promise.all(texts)).join('');
    };
    return JSON.stringify({ text: await read('manifest.json'), signature: await read('manifest.sig') });
  }

  /** Gives them a bad one, and sees what becomes of it. @param isBegun the first host has it on trial. */
  async fails({ title, changes, settings, reason, isSeamless = true }: Bad, isBegun = false): Promise<void> {
    const { mesh } = this;
    const [pids, before] = [await mesh.pids(), this.#uncovered ?? (await uncovered(mesh))];
    const { version, server } = await this.release(changes, settings);
    const said = `release ${version} halted at `;
    await until(() => linesOf(server).some(({ kind, msg }) => kind === 'release' && msg.startsWith(said)));
    const status = await mesh.status();
    assert.equal(status.state, 'halted');
    const [failed, ...others] = status.hosts.filter(({ phase }) => phase === 'failed');
    assert.ok(failed?.reason !== undefined);
    assert.match(failed.reason, reason);
    assert.equal(status.reason, `${failed.host}: ${failed.reason}`);
    assert.deepEqual(others, []);
    const alerts = linesOf(server).filter(({ kind }) => kind === 'release');
    const text = `${said}${failed.host}: ${failed.reason}; all others stay on 1.0`;
    assert.deepEqual(
      alerts.map(({ msg }) => msg),
      [text],
    );
    await until(async () => (await mesh.releases()).every((release) => release === this.#good));
    await until(() => connectionsOf(server, failed.host).at(-1)?.msg === 'agent connected');
    const [pidsAfter, after] = [await mesh.pids(), await uncovered(mesh)];
    for (const [i, host] of mesh.hosts.entries()) {
      const isDisturbed: boolean = isBegun && host.address === failed.host;
      const begun = `"serial":${status.serial},"state":"starting"`;
      const log = await host.sh(`grep -cF '${begun}' /opt/procmesh/data/agent.log || :`);
      assert.equal(log.trim(), isDisturbed ? '1' : '0');
      assert.equal(connectionsOf(server, host.address).length > 1, isDisturbed);
      if (isDisturbed && !isSeamless) continue;
      assert.equal(pidsAfter[i], pids[i]);
      assert.equal(after.get(host.address), before.get(host.address));
    }
    this.#uncovered = after;
    const missing = (after.get(failed.host) ?? Number.NaN) - (before.get(failed.host) ?? Number.NaN);
    const away = awayMs(server, failed.host);
    this.#t.diagnostic(`${title}: ${failed.reason}; away ${away} ms, ${missing} ms not measured`);
  }

  /** Gives them a good one, which comes to all, and has all of them go back. */
  async succeeds(): Promise<void> {
    const { mesh } = this;
    const [pids, before] = [await mesh.pids(), await uncovered(mesh)];
    const { version, server } = await this.release();
    const { hash } = await mesh.settled((status) => status.version === version && status.state === 'done');
    assert.deepEqual(await mesh.releases(), [hash, hash, hash]);
    const words = (): string[] => linesOf(server).flatMap(({ kind, msg }) => (kind === 'release' ? [msg] : []));
    await until(() => words().length > 0);
    assert.deepEqual(words(), [`release ${version} is on all hosts`]);
    const { code, stderr } = await mesh.run('release', 'rollback');
    assert.equal(code, 0, stderr);
    await mesh.settled((status) => status.version === '1.0' && status.state === 'done');
    assert.deepEqual(await mesh.releases(), [this.#good, this.#good, this.#good]);
    assert.deepEqual(await mesh.pids(), pids);
    assert.deepEqual(await uncovered(mesh), before);
  }
}

describe('a bad release', { timeout: 480_000, concurrency: 2 }, () => {
  it('is not begun with by the first host, and no other gets it, when it is not what was released', async (t) => {
    const releaser = await Releaser.open(t);
    const { mesh } = releaser;
    let recorded = '';
    for (const bad of NEVER_BEGUN) {
      await t.test(bad.title, () => releaser.fails(bad));
      recorded ||= await releaser.record();
    }
    await t.test('is signed by another key', async () => {
      const file = join(mesh.dataDir, 'release.key');
      const key = readFileSync(file);
      const { privateKey } = generateKeyPairSync('ed25519');
      writeFileSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }));
      await releaser.fails({
        title: 'is signed by another key',
        reason: /^its signature is not one of the release key that is pinned on this host$/,
      });
      writeFileSync(file, key);
    });
    await t.test('finds no room', async () => {
      const fill = `fallocate -l $(($(df --output=avail -B1 /opt/procmesh | tail -n 1) - 10000000)) /opt/procmesh/data/fill`;
      await Promise.all(mesh.hosts.map((host) => host.sh(fill)));
      await releaser.fails({
        title: 'finds no room',
        reason: /^the disk of this host has \d+ MB left, and it takes \d+$/,
      });
      await Promise.all(mesh.hosts.map((host) => host.sh('rm /opt/procmesh/data/fill')));
    });
    await t.test('is followed by a good one', () => releaser.succeeds());
    await t.test('is an older one that was recorded, and is pushed again', async () => {
      await releaser.fails({
        title: 'is an older one that was recorded, and is pushed again',
        changes: [
          [TRANSFER, PUSH, `Object.assign(signed, JSON.parse(process.env.RECORDED ?? ''));\n${PUSH}`],
          [TRANSFER, 'const STALL_MS = 60_000;', 'const STALL_MS = 3_000;'],
        ],
        settings: { RECORDED: recorded },
        reason: /^its agent has said nothing about the release for 3 s$/,
      });
      const logs = await Promise.all(mesh.hosts.map((host) => host.sh('cat /opt/procmesh/data/agent.log')));
      assert.ok(logs.some((log) => /"it is of act 2, and this host already runs the one of \d+"/.test(log)));
    });
  });

  it('is taken back by the first host, and no other gets it, when it fails on trial', async (t) => {
    const releaser = await Releaser.open(t);
    for (const bad of BEGUN) await t.test(bad.title, () => releaser.fails(bad, true));
    await t.test('is followed by a good one', () => releaser.succeeds());
  });
});
