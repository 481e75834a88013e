import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ensureCertificate } from '../../src/server/certificate.ts';
import { makeCertificate } from '../support/certificates.ts';
import { checkoutWithoutKoffi } from '../support/checkout.ts';
import { cleanEnvironment, freePort, MAIN, procmesh } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';
import { openServer, SECRETS } from '../support/test-server.ts';

interface Finding {
  check: string;
  state: string;
  found: string;
  mend?: string;
}

/** What a doctor finds, by check. */
function findings(stdout: string): Map<string, Finding> {
  const { checks } = JSON.parse(stdout) as { checks: Finding[] };
  return new Map(checks.map((finding) => [finding.check, finding]));
}

/** The doctor of a checkout, as root without any of root's powers. */
function powerless(main: string, env: NodeJS.ProcessEnv): Map<string, Finding> {
  const args = ['--bounding-set=-all', '--inh-caps=-all', process.execPath, main, 'doctor', '--json'];
  const child = spawnSync('setpriv', args, { encoding: 'utf8', env: cleanEnvironment(env), timeout: 30_000 });
  assert.equal(child.status, 0, child.stderr);
  return findings(child.stdout);
}

async function environment(t: TestContext): Promise<NodeJS.ProcessEnv> {
  return {
    ...{ HOME: scratchFolder(t), SSH_AUTH_SOCK: undefined },
    ...{ PROCMESH_GLOBAL_DATA_DIR: scratchFolder(t), PROCMESH_SERVER_LISTEN: String(await freePort()) },
  };
}

describe('procmesh doctor', { concurrency: 2, timeout: 240_000 }, () => {
  it('finds everything well for root on a current kernel, but that no server runs', async (t) => {
    const { code, stdout, stderr } = await procmesh(t, ['doctor', '--json'], await environment(t));
    assert.deepEqual([code, stderr], [0, '']);
    const found = findings(stdout);
    const limited = [...found.values()].filter(({ state }) => state !== 'ok').map(({ check }) => check);
    assert.deepEqual(limited, ['server']);
    assert.match(found.get('network per process')?.found ?? '', /^eBPF/);
    assert.match(found.get('processes that ended')?.found ?? '', /^taskstats/);
  });

  it('prints a table, and below it what would raise what is limited', async (t) => {
    const { code, stdout } = await procmesh(t, ['doctor'], await environment(t));
    assert.equal(code, 0);
    assert.match(stdout, /^CHECK +STATE +FOUND\n/);
    assert.match(stdout, /\nserver +limited +none answers at 127\.0\.0\.1:\d+\n/);
    assert.match(stdout, /\nTo raise it:\n {2}server: start it: procmesh start, or procmesh server\n$/);
  });

  it('finds the server that runs, with the fingerprint of its certificate and how long it is good for', async (t) => {
    const env = await environment(t);
    const certificate = await ensureCertificate(env.PROCMESH_GLOBAL_DATA_DIR ?? '');
    const server = await openServer(t, { certificate });
    const { stdout } = await procmesh(t, ['doctor', '--json'], { ...env, PROCMESH_SERVER_LISTEN: String(server.port) });
    const found = findings(stdout);
    assert.equal(found.get('server')?.state, 'ok');
    const until = new Date(certificate.validToMs).toISOString().slice(0, 10);
    assert.deepEqual(found.get('certificate'), {
      check: 'certificate',
      state: 'ok',
      found: `${certificate.fingerprint} until ${until}`,
    });
  });

  it('finds a server that does not encrypt, and says that it does not', async (t) => {
    const server = await openServer(t);
    const env = { ...(await environment(t)), PROCMESH_SERVER_TLS: 'off', PROCMESH_SERVER_LISTEN: String(server.port) };
    const found = findings((await procmesh(t, ['doctor', '--json'], env)).stdout);
    assert.equal(found.get('server')?.state, 'ok');
    assert.equal(found.get('certificate')?.state, 'limited');
    assert.match(found.get('certificate')?.mend ?? '', /\[SERVER\] tls = auto/);
  });

  it('fails where the server works with secrets that were changed since it was started', async (t) => {
    const env: NodeJS.ProcessEnv = { ...(await environment(t)), PROCMESH_SERVER_TLS: 'off' };
    const server = await openServer(t);
    const dataDir = env.PROCMESH_GLOBAL_DATA_DIR ?? '';
    for (const [name, text] of [
      ['viewer.token', SECRETS.viewer],
      ['operator.token', 'x'.repeat(43)],
      ['agents.secret', SECRETS.agents.toString('base64url')],
    ] as const)
      writeFileSync(join(dataDir, name), `${text}\n`);
    const running = { ...env, PROCMESH_SERVER_LISTEN: String(server.port) };
    const { code, stdout } = await procmesh(t, ['doctor', '--json'], running);
    const { state, found, mend } = findings(stdout).get('server') ?? {};
    assert.deepEqual([code, state], [1, 'failed']);
    assert.match(found ?? '', /^127\.0\.0\.1:\d+ works with other secrets than operator\.token in /);
    assert.match(mend ?? '', /^restart it/);
    writeFileSync(join(dataDir, 'operator.token'), SECRETS.operator);
    const mended = findings((await procmesh(t, ['doctor', '--json'], running)).stdout);
    assert.equal(mended.get('server')?.state, 'ok');
  });

  it('fails where the server that answers has another certificate', async (t) => {
    const env = await environment(t);
    await ensureCertificate(env.PROCMESH_GLOBAL_DATA_DIR ?? '');
    const server = await openServer(t, { certificate: await makeCertificate() });
    const { code, stdout } = await procmesh(t, ['doctor', '--json'], {
      ...env,
      PROCMESH_SERVER_LISTEN: String(server.port),
    });
    assert.equal(code, 1);
    assert.match(findings(stdout).get('server')?.found ?? '', /is not trusted: its certificate is not the pinned one/);
  });

  for (const [what, days, state, message] of [
    ['ends soon', 29, 'limited', /until \d{4}-\d\d-\d\d$/],
    ['has ended', -1, 'failed', /mesh\.pem expired on/],
  ] as const)
    it(`notices a certificate that ${what}`, async (t) => {
      const folder = scratchFolder(t);
      const { cert, key } = await makeCertificate({ from: -100, to: days });
      const files = [join(folder, 'mesh.pem'), join(folder, 'mesh.key')] as const;
      writeFileSync(files[0], cert);
      writeFileSync(files[1], key);
      const env = { ...(await environment(t)), PROCMESH_SERVER_TLS: files.join(',') };
      const found = findings((await procmesh(t, ['doctor', '--json'], env)).stdout).get('certificate');
      assert.equal(found?.state, state);
      assert.match(found?.found ?? '', message);
      if (state === 'limited') assert.match(found?.mend ?? '', /^renew .*mesh\.pem, then send the server a SIGHUP$/);
    });

  it('fails where the configuration is wrong', async (t) => {
    const file = join(scratchFolder(t), 'config.ini');
    writeFileSync(file, '[global]\nsample_time = never\n');
    const { code, stdout } = await procmesh(t, ['doctor', '--json', '--config', file]);
    assert.equal(code, 1);
    const { state, found } = findings(stdout).get('configuration') ?? {};
    assert.equal(state, 'failed');
    assert.match(found ?? '', /sample_time = "never" .* a number from 0\.2 to 60/);
  });

  it('says on which rung it stands without the powers of root, and what would raise it', async (t) => {
    const found = powerless(MAIN, await environment(t));
    const network = found.get('network per process');
    assert.equal(network?.state, 'limited');
    assert.match(network?.found ?? '', /^counters of TCP sockets: UDP and short outgoing connections/);
    assert.match(network?.mend ?? '', /^no eBPF: bpf\(BPF_MAP_CREATE\): EPERM; run the agent as root/);
    assert.equal(found.get('disk I/O per process')?.mend, 'run the agent as root (or with CAP_SYS_PTRACE)');
    const exits = found.get('processes that ended');
    assert.equal(exits?.state, 'limited');
    assert.match(exits?.mend ?? '', /run the agent as root/);
  });

  it('says on which rung it stands where koffi is not installed, and what would raise it', async (t) => {
    const found = powerless(checkoutWithoutKoffi(t), await environment(t));
    assert.match(
      found.get('network per process')?.mend ?? '',
      /koffi cannot be loaded \(MODULE_NOT_FOUND\); npm ci installs it/,
    );
    assert.match(found.get('network per process')?.found ?? '', /^counters of TCP sockets/);
  });
});
