import assert from 'node:assert/strict';
import type { SpawnOptions } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Command, cleanEnvironment, type Finished } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';
import { hostsJson, psJson } from './contract.ts';
import { openMesh, until } from './mesh.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

async function run(
  t: TestContext,
  file: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
  cwd = ROOT,
): Promise<Finished> {
  const options: SpawnOptions = { cwd, env: cleanEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] };
  const finished = await new Command(t, file, args, options).finished;
  assert.equal(finished.code, 0, finished.stderr);
  return finished;
}

/** Packs a copy of the checkout, which gets no `dist` folder by it, and installs the tarball somewhere else. */
async function install(t: TestContext): Promise<string> {
  const copy = scratchFolder(t);
  const ours = (path: string): boolean => !/\/(node_modules|dist|\.git)$|\.tgz$/.test(path);
  cpSync(ROOT, copy, { recursive: true, filter: ours });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  await run(t, 'npm', ['pack', '--pack-destination', copy], {}, copy);
  const tarball = readdirSync(copy).find((name) => name.endsWith('.tgz'));
  assert.ok(tarball);
  const prefix = scratchFolder(t);
  await run(t, 'npm', ['install', '--prefix', prefix, join(copy, tarball), '--no-audit', '--no-fund']);
  return prefix;
}

it('the packed tarball installs, and works on the runtime it brings along', { timeout: 300_000 }, async (t) => {
  const prefix = await install(t);
  const bin = join(prefix, 'node_modules', '.bin', 'procmesh');
  const version = await run(t, bin, ['--version']);
  assert.deepEqual([version.stdout, version.stderr], ['0.1.0\n', '']);

  const { environment, dataDir } = await openMesh(t);
  const options: SpawnOptions = { env: cleanEnvironment(environment), stdio: ['ignore', 'pipe', 'pipe'] };
  const started = new Command(t, bin, ['start', '--no-tui'], options);
  await started.stderr.line((line) => line.includes('agent connected'));
  const ps = await run(t, bin, ['ps', '--json', '--limit', '3'], environment);
  assert.equal(psJson.parse(JSON.parse(ps.stdout)).rows.length, 3);
  await until(async () => {
    const hosts = await run(t, bin, ['hosts', '--json'], environment);
    return hostsJson.safeParse(JSON.parse(hosts.stdout)).data?.rows[0]?.version === '0.1.0';
  });
  const root = join(prefix, 'node_modules', 'procmesh');
  // Its own release is the bundle that it brought along.
  const releases = join(dataDir, 'releases');
  const own = (): string | undefined =>
    existsSync(releases) ? readdirSync(releases).find((name) => /^[0-9a-f]{64}$/.test(name)) : undefined;
  await until(async () => own() !== undefined && existsSync(join(releases, own() ?? '', 'release.json')));
  const folder = join(releases, own() ?? '', process.arch);
  assert.deepEqual(readFileSync(join(folder, 'agent.mjs')), readFileSync(join(root, 'dist', 'agent.mjs')));
  assert.ok(existsSync(join(folder, 'node-options')));
  assert.ok(existsSync(join(folder, 'node_modules', 'koffi')));
  assert.equal((await started.kill('SIGTERM')).code, 0);

  // What is deployed to hosts comes with the package; the tools it was made with do not.
  assert.ok(existsSync(join(root, 'dist', 'agent.mjs')));
  assert.equal(existsSync(join(root, 'src', 'main.ts')), false);
});
