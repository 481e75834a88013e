import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Deployer } from '../../../src/server/deploy/deployer.ts';
import type { TestHost } from '../../support/test-host/test-host.ts';
import { until } from '../../support/test-host/test-host.ts';
import { FOLDER, NEVER, sharedBench } from './fleet-of-hosts.ts';

/** Resolves in the middle of the upload of the runtime. */
async function underWay(host: TestHost): Promise<void> {
  const size = (): Promise<string> => host.sh(`cat ${FOLDER}/runtime/*.partial/node.gz | wc -c`).catch(() => '0');
  await until(async () => Number(await size()) > 1_000_000);
}

/** It must be nothing that could be taken for whole. */
async function assertNothingWhole(host: TestHost): Promise<void> {
  const names = (await host
    .sh(`ls ${FOLDER}/runtime ${FOLDER}/releases; ls -d ${FOLDER}/current`)
    .catch((error) => error.stdout)) as string;
  assert.deepEqual(names.match(/^[0-9a-f]{64}$/gm), null);
  assert.doesNotMatch(names, /current/);
  await host.assertProcesses([]);
}

describe('an installation that is interrupted', { timeout: 240_000, concurrency: true }, () => {
  const bench = sharedBench();
  let deployer: Deployer;
  before(() => {
    deployer = bench().deployer();
  });
  const interruptions: {
    name: string;
    interrupt: (host: TestHost, stop: AbortController) => unknown;
    failure: object;
  }[] = [
    {
      name: 'by the end of the connection',
      interrupt: (host) => host.sh('pkill -9 -f "^sshd: root"'),
      failure: { code: 'ERR_DEPLOY_LOST', message: /^the connection was lost \(.*\): it is tried again$/ },
    },
    { name: 'by an sshd that hangs', interrupt: (host) => host.hangSshd(), failure: { code: 'ERR_DEPLOY_LOST' } },
    { name: 'by a cable', interrupt: (host) => host.cutLink(), failure: { code: 'ERR_DEPLOY_LOST' } },
    {
      name: 'by its caller',
      interrupt: (_host, stop) => stop.abort(new Error('enough')),
      failure: { message: 'enough' },
    },
  ];
  for (const { name, interrupt, failure } of interruptions) {
    it(`${name} leaves nothing whole, and the next one brings all of it`, async () => {
      const host = await bench().network.host();
      const before = host.files();
      host.slowLink('40mbit');
      const stop = new AbortController();
      const installing = deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, stop.signal);
      const failed = assert.rejects(installing, failure);
      await underWay(host);
      await interrupt(host, stop);
      await failed;
      await assertNothingWhole(host);

      // Of another release, which was given up for this one.
      await host.sh(`mkdir -p ${FOLDER}/releases/older.partial`);
      host.freeLink();
      host.joinLink();
      await host.resumeSshd();
      await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
      await until(async () => (await host.processes()).includes('procmesh-agent'));
      assert.doesNotMatch(await host.sh(`ls ${FOLDER}/*`), /partial/);
      await deployer.remove(host.rshost, bench().onPhase, NEVER);
      assert.deepEqual(host.files(), before);
      await host.end();
    });
  }

  it('is taken away whole, what was copied in part included', async () => {
    const host = await bench().network.host();
    const before = host.files();
    host.slowLink('40mbit');
    const installing = deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    const failed = assert.rejects(installing, { code: 'ERR_DEPLOY_LOST' });
    await underWay(host);
    await host.sh('pkill -9 -f "^sshd: root"');
    await failed;
    await deployer.remove(host.rshost, bench().onPhase, NEVER);
    assert.deepEqual(host.files(), before);
    await host.end();
  });
});
