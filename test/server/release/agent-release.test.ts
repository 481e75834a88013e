import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { manifestSchema } from '../../../src/protocol/release.ts';
import { AGENT_NODE_OPTIONS } from '../../../src/server/release/agent-process.ts';
import { makeRelease, releaseHash } from '../../../src/server/release/agent-release.ts';
import { copyCheckout } from '../../support/checkout.ts';
import { scratchFolder } from '../../support/scratch.ts';

type Module = typeof import('../../../src/server/release/agent-release.ts');

const FOREIGN = process.arch === 'x64' ? 'arm64' : 'x64';
const NATIVE = `@koromix/koffi-linux-${process.arch}`;

/** As npm would install koffi's native part for machines of another kind. */
function foreignKoffi(folder: string, version?: string): void {
  const native = join(folder, 'node_modules', `@koromix/koffi-linux-${FOREIGN}`);
  cpSync(`node_modules/${NATIVE}`, native, { recursive: true });
  cpSync(join(native, `linux_${process.arch}`), join(native, `linux_${FOREIGN}`), { recursive: true });
  const description = JSON.parse(readFileSync(join(native, 'package.json'), 'utf8'));
  if (version !== undefined) writeFileSync(join(native, 'package.json'), JSON.stringify({ ...description, version }));
}

describe('the agent’s release', { timeout: 120_000 }, () => {
  it('lists each of its files with what is in it, and the options that it is run with', async (t) => {
    const folder = join(scratchFolder(t), 'release');
    const files = await makeRelease(folder, process.arch, '/nowhere');
    for (const { path, bytes, sha256 } of files) {
      const content = readFileSync(join(folder, path));
      assert.equal(content.length, bytes, path);
      assert.equal(createHash('sha256').update(content).digest('hex'), sha256, path);
    }
    const paths = files.map(({ path }) => path);
    for (const path of ['agent.mjs', 'node-options', `node_modules/${NATIVE}/linux_${process.arch}/koffi.node`])
      assert.ok(paths.includes(path), path);
    assert.equal(readFileSync(join(folder, 'node-options'), 'utf8'), `${AGENT_NODE_OPTIONS.join('\n')}\n`);
    const hash = releaseHash(files, 'v26.10.0');
    const manifest = { version: '1.0.0', serial: 0, hash, architecture: process.arch, files };
    assert.deepEqual(manifestSchema.parse(manifest), manifest);
  });

  it('is the same, byte for byte, wherever the checkout lies', async (t) => {
    const hashes: string[] = [];
    for (const root of [copyCheckout(t), copyCheckout(t)]) {
      const url = pathToFileURL(join(root, 'src/server/release/agent-release.ts')).href;
      const release: Module = await import(url);
      const files = await release.makeRelease(join(root, 'release'), process.arch, '/nowhere');
      for (const { path } of files)
        assert.equal(readFileSync(join(root, 'release', path)).includes(root), false, `${path} names ${root}`);
      hashes.push(JSON.stringify(files), release.releaseHash(files, 'v26.10.0'));
    }
    const here = await makeRelease(join(scratchFolder(t), 'release'), process.arch, '/nowhere');
    const hash = releaseHash(here, 'v26.10.0');
    assert.deepEqual(hashes, [JSON.stringify(here), hash, JSON.stringify(here), hash]);
  });

  it('has the same hash on every kind of machine, whether or not koffi is there for it', async (t) => {
    const folder = scratchFolder(t);
    const own = await makeRelease(join(folder, 'own'), process.arch, '/nowhere');
    const without = await makeRelease(join(folder, 'without'), FOREIGN, '/nowhere', join(folder, 'own'));
    assert.ok(without.every(({ path }) => !path.startsWith('node_modules')));
    foreignKoffi(folder);
    const foreign = await makeRelease(join(folder, 'foreign'), FOREIGN, folder, join(folder, 'own'));
    assert.equal(foreign.length, own.length);
    assert.ok(foreign.some(({ path }) => path.endsWith(`linux_${FOREIGN}/koffi.node`)));
    const [hash, ...others] = [own, without, foreign].map((files) => releaseHash(files, 'v26.10.0'));
    assert.deepEqual(others, [hash, hash]);
  });

  it('has another hash with other code, other options or another runtime', async (t) => {
    const folder = scratchFolder(t);
    const files = await makeRelease(join(folder, 'own'), process.arch, '/nowhere');
    const hash = releaseHash(files, 'v26.10.0');
    assert.notEqual(releaseHash(files, 'v26.10.1'), hash);
    for (const changed of ['agent.mjs', 'agent-alert-table.mjs', 'node-options']) {
      const program = join(folder, 'program');
      cpSync(join(folder, 'own'), program, { recursive: true });
      writeFileSync(join(program, changed), `${readFileSync(join(program, changed), 'utf8')}\n`);
      const other = await makeRelease(join(folder, 'other'), process.arch, '/nowhere', program);
      assert.notEqual(releaseHash(other, 'v26.10.0'), hash, changed);
    }
  });

  it('leaves out a native part of another version, which koffi would refuse', async (t) => {
    const folder = scratchFolder(t);
    foreignKoffi(folder, '0.0.1');
    mkdirSync(join(folder, 'program'));
    writeFileSync(join(folder, 'program', 'agent.mjs'), '');
    const files = await makeRelease(join(folder, 'release'), FOREIGN, folder, join(folder, 'program'));
    assert.deepEqual(
      files.map(({ path }) => path),
      ['agent.mjs'],
    );
  });
});
