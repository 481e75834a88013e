import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, copyFileSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { findRuntime } from '../../src/server/release/runtime.ts';
import { scratchFolder } from '../support/scratch.ts';
import { HOST_NODE, type TestHost } from '../support/test-host/test-host.ts';
import { until } from './mesh.ts';
import { ReleaseMesh } from './release-mesh.ts';

const FOLDER = '/opt/procmesh';
const SETTINGS = { PROCMESH_RELEASE_HEALTH_TIME: '2' };

/** Another release by its code. */
function changeCode(mesh: ReleaseMesh): void {
  mesh.change('src/agent/agent.ts', 'const FIRST_SAMPLE_MS = 400;', 'const FIRST_SAMPLE_MS = 401;');
}

/** Another release by its Node.js, which is one byte longer. @returns the file. */
function changeRuntime(t: TestContext, mesh: ReleaseMesh): string {
  const installed = findRuntime(process.arch, '/nowhere');
  assert.ok(installed !== undefined);
  const file = join(scratchFolder(t), 'node');
  copyFileSync(installed.file, file);
  appendFileSync(file, '\n');
  chmodSync(file, 0o755);
  const runtime = 'src/server/release/runtime.ts';
  mesh.change(runtime, "join(dirname(description), 'bin', 'node')", JSON.stringify(file));
  mesh.change(runtime, "JSON.parse(readFileSync(description, 'utf8'))", "{ version: '26.99.0' }");
  return file;
}

async function runtimeOf(host: TestHost): Promise<string> {
  return (await host.sh(`readlink -f ${FOLDER}/current/node`)).trim();
}

/** Of all Node.js that have come there, whole or not. */
async function runtimesOn(host: TestHost): Promise<string[]> {
  const found = await host.sh(`cd ${FOLDER}; find runtime releases/.incoming -type f -size +50M 2>/dev/null || :`);
  return found.trim().split('\n').filter(Boolean);
}

describe('a host whose agent is not there', { timeout: 240_000 }, () => {
  it('is not waited for, and gets the release when its agent is back', async (t) => {
    const mesh = await ReleaseMesh.open(t, 2, SETTINGS);
    await mesh.restart('1.0');
    await mesh.deploy();
    const [, gone] = mesh.hosts as [TestHost, TestHost];
    const [, before] = await mesh.releases();
    await gone.sh(`kill $(cat ${FOLDER}/data/launcher.pid)`);
    await until(async () => (await gone.processes()).length === 0);
    changeCode(mesh);
    await mesh.restart('2.0');
    const done = await mesh.settled(({ version, state }) => version === '2.0' && state === 'done');
    assert.deepEqual([done.counts.done, done.counts.away], [1, 1]);
    assert.equal((await mesh.releases())[1], before);
    await gone.sh(`${FOLDER}/keep-running start >/dev/null 2>&1`);
    const later = await mesh.settled(({ counts }) => counts.done === 2);
    assert.deepEqual([later.serial, later.state], [done.serial, 'done']);
    assert.deepEqual(await mesh.releases(), [done.hash, done.hash]);
  });
});

describe('another Node.js', { timeout: 240_000 }, () => {
  it('comes to hosts as code does, and goes on where it was when its server was killed', async (t) => {
    const mesh = await ReleaseMesh.open(t, 1, SETTINGS);
    await mesh.restart('1.0');
    await mesh.deploy();
    const [host] = mesh.hosts as [TestHost];
    const before = await runtimeOf(host);
    const file = changeRuntime(t, mesh);
    host.slowLink('200mbit');
    await mesh.restart('2.0');
    const bytes = async (): Promise<number> => {
      const sizes = await host.sh(`cd ${FOLDER}/releases/.incoming 2>/dev/null && stat -c %s * 2>/dev/null || :`);
      return Math.max(0, ...sizes.split('\n').map(Number));
    };
    await until(async () => (await bytes()) > 20_000_000);
    await mesh.crash();
    const had = await bytes();
    assert.ok(had < statSync(file).size);
    const sentBefore = await received(host);
    await mesh.restart('2.0');
    host.freeLink();
    const { hash } = await mesh.settled(({ version, state }) => version === '2.0' && state === 'done');
    const sent = (await received(host)) - sentBefore;
    // base64, and what is around it; what had come already did not come again.
    assert.ok(sent < 1.45 * (statSync(file).size - had) + 10e6, `${sent} bytes after ${had} had come`);
    assert.deepEqual(await mesh.releases(), [hash]);
    assert.notEqual(await runtimeOf(host), before);
    assert.equal(statSync(host.path(await runtimeOf(host))).size, statSync(file).size);
    // What it goes back to stays.
    assert.ok(existsSync(host.path(before)));
  });

  it('does not come to hosts that run on a Node.js of their own', async (t) => {
    const mesh = await ReleaseMesh.open(t, 1, { ...SETTINGS, PROCMESH_CLIENT_NODE: HOST_NODE });
    await mesh.restart('1.0');
    await mesh.deploy();
    const [host] = mesh.hosts as [TestHost];
    changeRuntime(t, mesh);
    await mesh.restart('2.0');
    const { hash } = await mesh.settled(({ version, state }) => version === '2.0' && state === 'done');
    assert.deepEqual(await mesh.releases(), [hash]);
    assert.equal(await runtimeOf(host), HOST_NODE);
    assert.deepEqual(await runtimesOn(host), []);
  });
});

/** Bytes that have come over the host's network since it was booted. */
async function received(host: TestHost): Promise<number> {
  return Number(await host.sh('cat /sys/class/net/eth0/statistics/rx_bytes'));
}
