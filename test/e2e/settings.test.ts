import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AGENT_PATH } from '../../src/protocol/message.ts';
import { launch } from '../support/command.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { Wire } from '../support/wire.ts';
import { openMesh } from './mesh.ts';

const CONFIG = fileURLToPath(new URL('../../conf/config.ini', import.meta.url));

/** A server with a configuration of its own, and an agent that was welcomed by it. */
async function opened(t: TestContext) {
  const mesh = await openMesh(t);
  const config = join(mesh.dataDir, 'config.ini');
  copyFileSync(CONFIG, config);
  const set = (key: string, value: string): void => {
    const text = readFileSync(config, 'utf8');
    const changed = text.replace(new RegExp(`^${key} = .*$`, 'm'), `${key} = ${value}`);
    assert.notEqual(changed, text);
    writeFileSync(config, changed);
  };
  const server = launch(t, ['server', '--config', config], mesh.environment, 'ipc');
  await server.ready();
  const wire = await new Wire(mesh.url + AGENT_PATH, { token: await mesh.list('web-1') }).opened();
  t.after(() => wire.socket.terminate());
  new FakeAgent('web-1', wire).hello();
  return { server, wire, set, settings: (await wire.next('welcome')).settings };
}

describe('a running server', { timeout: 60_000 }, () => {
  it('gives agents the settings of its configuration, in units of the wire', async (t) => {
    const { settings } = await opened(t);
    assert.deepEqual(settings, {
      intervalMs: 30_000,
      sampleMs: 2_000,
      heartbeatMs: 3_000,
      cpuBudgetPercent: 1,
      mounts: [],
      rules: {
        cpuPercent: 200,
        memBytes: 10 * 1024 ** 3,
        ioBytesPerSec: 10_240 * 1024,
        netBytesPerSec: 10_240 * 1024,
        queue: 5,
        utilPercent: 50,
        top: 5,
      },
    });
  });

  it('reads its configuration again at SIGHUP, and tells the agents', async (t) => {
    const { server, wire, set, settings } = await opened(t);
    set('cpu', '75');
    set('sample_time', '0.5');
    server.process.kill('SIGHUP');
    const changed = { ...settings, sampleMs: 500, rules: { ...settings.rules, cpuPercent: 75 } };
    assert.deepEqual((await wire.next('settings')).settings, changed);
    assert.equal((await server.kill('SIGTERM')).code, 0);
  });

  it('goes on with the settings it has when the configuration has become wrong', async (t) => {
    const { server, wire, set } = await opened(t);
    set('cpu', 'much');
    server.process.kill('SIGHUP');
    await server.stderr.line((line) => line.includes('[RULE] cpu = \\"much\\"'));
    set('cpu', '80');
    server.process.kill('SIGHUP');
    assert.equal((await wire.next('settings')).settings.rules.cpuPercent, 80);
  });
});
