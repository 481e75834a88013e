import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { writeAgentSettings } from '../../../src/server/deploy/agent-settings.ts';
import { AGENT_NODE_OPTIONS } from '../../../src/server/release/agent-process.ts';
import { writeAgentBundle } from '../../../src/server/release/bundle.ts';
import { bringKoffi } from '../../../src/server/release/native.ts';
import { Command, cleanEnvironment } from '../../support/command.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { type Connection, FakeServer } from '../fake-server.ts';
import { install, type Made, Mint, Source, seen, upgradeTo } from './host.ts';

const GUARD = { timeout: 60_000 };

/** As the real one: it is the agent's parent, says so, and ends as the agent ends. */
const LAUNCHER = `cd "$1" || exit 1
export PROCMESH_LAUNCHER=$$
trap 'echo "trial of $(cat data/trial)" >>data/counted' USR1
trap 'kill "$child"' TERM
current/node $(cat current/node-options) "$1/current/agent.mjs" --deployed "$1" >/dev/null 2>>data/stderr.log &
child=$!
while :; do
  wait "$child"
  code=$?
  if ! kill -0 "$child" 2>/dev/null; then exit "$code"; fi
done
`;

let bundle: Record<string, Buffer>;
before(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'procmesh-bundle-'));
  try {
    await writeAgentBundle(join(folder, 'agent.mjs'));
    bringKoffi(folder);
    const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    bundle = Object.fromEntries(paths.map((path) => [relative(folder, path), readFileSync(path)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** A host with an agent of version 1 under its launcher, connected. */
async function setUp(t: TestContext) {
  const server = await FakeServer.start(t);
  const mint = new Mint();
  const source = new Source();
  const make = (version: string, serial: number, code = (agent: string) => `${agent}// ${version}\n`): Made => {
    const contents = { ...bundle, 'agent.mjs': code(String(bundle['agent.mjs'])) };
    const options = `${AGENT_NODE_OPTIONS.join('\n')}\n`;
    const made = mint.make(version, serial, { ...contents, 'node-options': options }, undefined);
    source.add(made);
    return made;
  };
  const folder = scratchFolder(t);
  const first = make('1.0', 1);
  const installation = install(folder, first);
  symlinkSync(process.execPath, join(installation.current, 'node'));
  mkdirSync(join(folder, 'etc'));
  const settings = { host: 'h', version: '0.9', servers: [server.url], releaseKey: mint.releaseKey };
  writeFileSync(join(folder, 'etc', 'agent.json'), writeAgentSettings(settings));
  writeFileSync(join(folder, 'etc', 'agent.token'), 'secret\n');
  // A launcher that is killed ends alone.
  t.after(() => spawnSync('pkill', ['-9', '-P', String(launcher.pid)]));
  const launcher = new Command(t, '/bin/sh', ['-c', LAUNCHER, 'launch', folder], {
    env: cleanEnvironment({}),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const connection = await server.connection();
  const hello = await connection.next('hello');
  assert.deepEqual([hello.version, hello.release?.hash, hello.release?.serial], ['1.0', first.manifest.hash, 1]);
  welcome(connection, source);
  // Of its first sample: then it works, and has said so.
  await connection.next('beat');
  return { server, make, source, folder, first, installation, launcher, connection };
}

function welcome(connection: Connection, source: Source): void {
  connection.on('message', (message) => {
    if (message.type === 'want') connection.send(source.answer(message));
  });
  connection.welcome();
}

/** What stays the same of a process, whatever it runs. */
function identity(folder: string) {
  const pid = Number(readFileSync(join(folder, 'data', 'agent.pid'), 'utf8'));
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const startedAt = stat.slice(stat.lastIndexOf(')')).split(' ')[20];
  return { pid, startedAt };
}

/** Kinds of what a process has open: `socket`, `anon_inode`, paths. Of /proc it keeps more or less open. */
function descriptors(pid: number): string[] {
  // While it runs, what it has of /proc may be closed between the two looks.
  process.kill(pid, 'SIGSTOP');
  try {
    return readdirSync(`/proc/${pid}/fd`)
      .map((descriptor) => readlinkSync(`/proc/${pid}/fd/${descriptor}`).replace(/:?\[.*/, ''))
      .filter((target) => !target.startsWith('/proc/'))
      .sort();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

describe('an agent in the folder of a host', () => {
  it(
    'becomes another release with the same pid, stays it when confirmed, and goes back when reverted',
    GUARD,
    async (t) => {
      const { server, make, source, folder, first, installation, launcher, connection } = await setUp(t);
      const before = identity(folder);
      const opened = descriptors(before.pid);
      const second = make('2.0', 2);
      connection.send(upgradeTo(second));
      for (const state of ['receiving', 'testing']) assert.equal((await connection.next('upgraded')).state, state);
      const tested = await server.connection();
      await tested.closed;
      assert.deepEqual([tested.token, tested.received], ['Bearer secret', []], 'the self-test says nothing');
      assert.equal((await connection.next('upgraded')).state, 'starting');
      assert.deepEqual(
        source.asked.map(([name]) => name).filter((name) => name !== 'agent.mjs'),
        [],
      );

      const onTrial = await server.connection();
      const hello = await onTrial.next('hello');
      assert.equal(hello.version, '2.0');
      const { hash } = second.manifest;
      const architecture = process.arch;
      assert.deepEqual(hello.release, { hash, serial: 2, architecture, hasOwnNode: true, isOnTrial: true });
      assert.equal(
        readFileSync(join(folder, 'data', 'counted'), 'utf8'),
        `trial of ${hash} ${first.manifest.hash} 60 2\n`,
      );
      welcome(onTrial, source);
      await onTrial.next('beat');
      assert.deepEqual(identity(folder), before);
      onTrial.send({ type: 'confirm', serial: 2 });
      assert.deepEqual(await onTrial.next('upgraded'), { type: 'upgraded', serial: 2, state: 'confirmed' });
      assert.equal(existsSync(installation.trial), false);

      const third = make('3.0', 3);
      onTrial.send(upgradeTo(third));
      await (await server.connection()).closed;
      const again = await server.connection();
      assert.equal((await again.next('hello')).version, '3.0');
      welcome(again, source);
      await again.next('beat');
      again.send({ type: 'revert', serial: 3, reason: 'it uses too much' });
      const back = await server.connection();
      const failed = { serial: 3, reason: 'it uses too much' };
      const { version, release } = await back.next('hello');
      assert.deepEqual([version, release], ['2.0', { hash, serial: 2, architecture, hasOwnNode: true, failed }]);
      welcome(back, source);
      await back.next('beat');
      assert.deepEqual(identity(folder), before);
      assert.deepEqual(descriptors(before.pid), opened, 'nothing stays open of the ones before');

      launcher.process.kill('SIGTERM');
      const { code } = await launcher.finished;
      assert.equal(code, 0);
      assert.equal(readFileSync(join(folder, 'data', 'stderr.log'), 'utf8'), '');
      assert.equal(existsSync(join(folder, 'data', 'agent.pid')), false);
    },
  );

  for (const { title, code, reason } of [
    {
      title: 'crashes when it is loaded',
      code: () => 'import "./nowhere.mjs";\n',
      reason: /^its self-test fails: Error \[ERR_MODULE_NOT_FOUND\]: Cannot find module .*nowhere\.mjs/,
    },
    {
      title: 'cannot be parsed',
      code: (agent: string) => agent.slice(0, 5_000),
      reason: /^its self-test fails: SyntaxError: /,
    },
    {
      title: 'cannot measure',
      code: (agent: string) => agent.replace(/procRoot:"\/proc"/g, 'procRoot:"/nowhere"'),
      reason: /^its self-test fails: \/nowhere\/stat is gone/,
    },
    {
      title: 'reaches no server',
      code: (agent: string) => agent.replace('"/agent"', '"ws://127.0.0.1:1"'),
      reason: /^its self-test fails: no server is reached \(127\.0\.0\.1:1: nothing listens there\)$/,
    },
  ]) {
    it(`goes on with its own release when the other ${title}`, GUARD, async (t) => {
      const { make, first, installation, folder, connection } = await setUp(t);
      const before = identity(folder);
      const bad = make('2.0', 2, code);
      assert.notDeepEqual(bad.files.get('agent.mjs'), first.files.get('agent.mjs'));
      connection.send(upgradeTo(bad));
      for (const state of ['receiving', 'testing']) assert.equal((await connection.next('upgraded')).state, state);
      const upgraded = await connection.next('upgraded');
      assert.equal(upgraded.state, 'failed');
      assert.match(upgraded.reason ?? '', reason);
      const { current, trial } = seen(installation);
      assert.deepEqual([current, trial, identity(folder)], [first.manifest.hash, undefined, before]);
      connection.taken('beat');
      await connection.next('beat');
    });
  }
});
