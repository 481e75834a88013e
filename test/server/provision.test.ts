import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Provisioner, spread } from '../../src/server/provision.ts';

const { signal } = new AbortController();
const SERVERS = ['wss://10.0.0.5:9300', 'wss://10.0.0.6:9300', 'wss://10.0.0.7:9300'];

function provisioner(listenHost: string, servers: readonly string[] = []): Provisioner {
  return new Provisioner({
    ...{ agentToken: (host, generation) => `${host}/${generation}`, servers, pin: 'AB:CD' },
    ...{ releaseKey: 'key', alerts: undefined },
    own: { scheme: 'wss', listenHost, port: 9300 },
  });
}

async function serversOf(listenHost: string, host: string): Promise<readonly string[]> {
  return (await provisioner(listenHost).provision(host, 0, signal)).servers;
}

describe('provision', { timeout: 30_000 }, () => {
  it('gives an agent its token, all servers, the pin, and the key that releases are signed by', async () => {
    const given = await provisioner('', SERVERS).provision('web-1', 3, signal);
    assert.deepEqual([given.host, given.token, given.pin, given.releaseKey], ['web-1', 'web-1/3', 'AB:CD', 'key']);
    assert.deepEqual(given.servers.toSorted(), SERVERS);
  });

  it('spreads the agents evenly over the servers, each always in the same way', () => {
    const counts = new Map<string | undefined, number>();
    for (let host = 0; host < 3_000; host += 1) {
      const [first, ...others] = spread(SERVERS, `web-${host}`);
      counts.set(first, (counts.get(first) ?? 0) + 1);
      const at = SERVERS.indexOf(first ?? '');
      assert.deepEqual(others, [SERVERS[(at + 1) % 3], SERVERS[(at + 2) % 3]]);
    }
    for (const server of SERVERS) assert.ok(Math.abs((counts.get(server) ?? 0) - 1_000) < 120, `${counts.get(server)}`);
    assert.deepEqual(spread(SERVERS, 'web-1'), spread(SERVERS, 'web-1'));
  });

  it('names this server by the address that leads to the host, where it listens on all', async () => {
    for (const all of ['', '0.0.0.0', '::'])
      assert.deepEqual(await serversOf(all, '127.0.0.9'), ['wss://127.0.0.1:9300']);
    assert.deepEqual(await serversOf('', '::1'), ['wss://[::1]:9300']);
  });

  it('names this server by the address that it listens on', async () => {
    assert.deepEqual(await serversOf('10.0.0.5', 'web-1'), ['wss://10.0.0.5:9300']);
  });

  it('says what to set when the host cannot reach this server, or the way is not known', async () => {
    await assert.rejects(serversOf('127.0.0.1', 'web-1'), {
      code: 'ERR_DEPLOY_SERVERS',
      message:
        'this server listens on 127.0.0.1 alone, where no other machine can reach it: set [SERVER] listen = 0.0.0.0:9300',
    });
    await assert.rejects(serversOf('', 'no-such-host.invalid'), {
      code: 'ERR_DEPLOY_SERVERS',
      message:
        'no host of the name no-such-host.invalid is known: check its spelling, or, where it is an alias of ~/.ssh/config, set [SERVER] servers',
    });
    const aborted = AbortSignal.abort(new Error('enough'));
    await assert.rejects(provisioner('').provision('127.0.0.9', 0, aborted), /enough/);
  });
});
