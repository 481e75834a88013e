import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { installationIn } from '../../src/agent/upgrade/installation.ts';
import { deployedSetup } from '../../src/cli/deployed.ts';
import { LAYOUT, writeAgentSettings } from '../../src/server/deploy/agent-settings.ts';
import { FakeServer } from '../agent/fake-server.ts';
import { assertFailed, launch, procmesh } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';

const SETTINGS = { host: 'h ü', servers: ['ws://127.0.0.1:1'] };
const HASH = 'a'.repeat(64);
const MANIFEST = JSON.stringify({
  ...{ version: '7', serial: 1, hash: HASH, architecture: 'x64' },
  files: [{ path: 'agent.mjs', bytes: 1, sha256: HASH }],
});

function deployed(folder: string, settings: string, manifest = MANIFEST): string {
  for (const name of ['etc', 'data', 'current']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'current', 'manifest.json'), manifest);
  writeFileSync(join(folder, 'etc', 'agent.json'), settings);
  writeFileSync(join(folder, 'etc', 'agent.token'), 'secret\n');
  return folder;
}

test('an agent runs by what is in its folder alone, and says there that it works', async (t) => {
  const server = await FakeServer.start(t);
  const folder = deployed(scratchFolder(t), writeAgentSettings({ ...SETTINGS, servers: [server.url] }));
  // Settings of a server in the environment are not this agent's.
  const agent = launch(t, ['agent', '--deployed', folder], { PROCMESH_GLOBAL_SAMPLE_TIME: 'wrong' }, 'ipc');
  const connection = await server.connection();
  const hello = await connection.next('hello');
  assert.deepEqual([hello.host, hello.version, connection.token], ['h ü', '7', 'Bearer secret']);
  await agent.ready();
  const pidFile = join(folder, 'data', 'agent.pid');
  assert.equal(readFileSync(pidFile, 'utf8'), `${agent.pid}\n`);
  assert.equal(statSync(pidFile).mode & 0o777, 0o600);
  const { code, stderr } = await agent.kill('SIGTERM');
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(existsSync(pidFile), false);
  assert.match(readFileSync(join(folder, 'data', 'agent.log'), 'utf8'), /"connected"/);
});

test('an agent that is killed leaves its pid, so that it is started again', async (t) => {
  const folder = deployed(scratchFolder(t), writeAgentSettings(SETTINGS));
  const agent = launch(t, ['agent', '--deployed', folder], {}, 'ipc');
  await agent.ready();
  await agent.kill('SIGKILL');
  assert.equal(readFileSync(join(folder, 'data', 'agent.pid'), 'utf8'), `${agent.pid}\n`);
});

test('an agent and its deployment mean the same places', () => {
  const folder = '/opt/procmesh';
  const { current, releases, runtimes } = installationIn(folder);
  const places = [LAYOUT.current, LAYOUT.releases, LAYOUT.runtimes].map((path) => join(folder, path));
  assert.deepEqual([current, releases, runtimes], places);
});

test('a self-test measures, reaches a server, and touches nothing of the agent that works there', async (t) => {
  const server = await FakeServer.start(t);
  const folder = deployed(
    scratchFolder(t),
    writeAgentSettings({ ...SETTINGS, servers: ['ws://127.0.0.1:1', server.url] }),
  );
  const agent = launch(t, ['agent', '--deployed', folder], {}, 'ipc');
  await agent.ready();
  await (await server.connection()).next('hello');
  const before = readdirSync(folder, { recursive: true }).sort();
  const test = procmesh(t, ['agent', '--deployed', folder, '--self-test']);
  const connection = await server.connection();
  assert.deepEqual(await test, { code: 0, signal: null, stdout: '', stderr: '' });
  await connection.closed;
  assert.deepEqual(connection.received, []);
  assert.deepEqual(readdirSync(folder, { recursive: true }).sort(), before);
  assert.equal((await agent.kill('SIGTERM')).code, 0);
});

test('a self-test fails where no server is reached, and says why of each', async (t) => {
  const servers = ['ws://127.0.0.1:1', 'ws://127.0.0.1:2'];
  const folder = deployed(scratchFolder(t), writeAgentSettings({ ...SETTINGS, servers }));
  const nobody = 'no server is reached (127.0.0.1:1: nothing listens there, 127.0.0.1:2: nothing listens there)';
  const finished = await procmesh(t, ['agent', '--deployed', folder, '--self-test']);
  assert.deepEqual([finished.code, finished.stderr], [1, `procmesh: ${nobody}\n`]);
  assert.deepEqual(readdirSync(join(folder, 'data')), []);
});

test('settings that cannot be read are said with their file', async (t) => {
  const mend = 'have the server deploy this host again';
  const empty = scratchFolder(t);
  assertFailed(
    await procmesh(t, ['agent', '--deployed', empty]),
    2,
    new RegExp(`${empty}/etc/agent.json cannot be read \\(ENOENT\\): ${mend}`),
  );
  for (const [settings] of [['{'], ['null'], ['{"host":"a","servers":[]}'], ['{"host":"","servers":["x"]}']] as const) {
    const folder = deployed(scratchFolder(t), settings);
    assertFailed(await procmesh(t, ['agent', '--deployed', folder]), 2, /agent\.json cannot be read \(it is damaged\)/);
  }
});

test('a manifest that cannot be read is said with its file', async (t) => {
  for (const manifest of ['', '{}', MANIFEST.replace('"7"', '""')]) {
    const folder = deployed(scratchFolder(t), writeAgentSettings(SETTINGS), manifest);
    const message = /current\/manifest\.json cannot be read: have the server deploy this host again/;
    assertFailed(await procmesh(t, ['agent', '--deployed', folder]), 2, message);
  }
});

test('the version may still stand in the settings, as older servers wrote it', (t) => {
  const folder = deployed(scratchFolder(t), writeAgentSettings({ ...SETTINGS, version: '3' }), '');
  assert.equal(deployedSetup(folder).version, '3');
});

test('settings are one line of ASCII', () => {
  const text = writeAgentSettings({ ...SETTINGS, host: "ü\n'\u{1f600}" });
  assert.match(text, /^[\x20-\x7e]+$/);
  assert.equal(JSON.parse(text).host, "ü\n'\u{1f600}");
});
