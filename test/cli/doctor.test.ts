import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { checkoutWithoutKoffi } from '../support/checkout.ts';
import { cleanEnvironment, freePort, MAIN, procmesh } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';
import { openServer } from '../support/test-server.ts';

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
  return { PROCMESH_GLOBAL_DATA_DIR: scratchFolder(t), PROCMESH_SERVER_LISTEN: String(await freePort()) };
}

describe('procmesh doctor', { concurrency: 2, timeout: 60_000 }, () => {
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

  it('finds the server that runs', async (t) => {
    const server = await openServer(t);
    const env = { ...(await environment(t)), PROCMESH_SERVER_LISTEN: String(server.port) };
    const { stdout } = await procmesh(t, ['doctor', '--json'], env);
    assert.equal(findings(stdout).get('server')?.state, 'ok');
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
