import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeAgent } from '../support/fake-agent.ts';
import { FakeStore } from '../support/fake-store.ts';
import { openServer, SETTINGS } from '../support/test-server.ts';

describe('server', { timeout: 30_000 }, () => {
  it('does not start when the store cannot be read', async (t) => {
    const store = new FakeStore();
    store.knownHosts = async () => {
      throw new Error('the store is damaged');
    };
    await assert.rejects(openServer(t, { store }), { message: 'the store is damaged' });
  });

  it('tells changed settings to every agent at once, and to those that come', async (t) => {
    const server = await openServer(t);
    const agents = [await server.agent('a'), await server.agent('b')];
    const gone = await server.agent('gone');
    gone.wire.socket.terminate();
    const settings = { ...SETTINGS, sampleMs: 500, rules: { ...SETTINGS.rules, top: 50 } };
    server.server.changeSettings(settings);
    for (const { wire } of agents) assert.deepEqual(await wire.next('settings'), { type: 'settings', settings });
    const later = new FakeAgent('later', await server.connect('agent', { host: 'later' }));
    later.hello();
    assert.deepEqual((await later.wire.next('welcome')).settings, settings);
  });
});
