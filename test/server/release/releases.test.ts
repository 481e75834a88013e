import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { beforeEach, describe, it, type TestContext } from 'node:test';
import { MAX_CHUNK_BYTES, type Manifest, manifestSchema } from '../../../src/protocol/release.ts';
import { ensureReleaseKey } from '../../../src/server/release/release-key.ts';
import type { SignedManifest } from '../../../src/server/release/release-source.ts';
import { Releases } from '../../../src/server/release/releases.ts';
import { scratchFolder } from '../../support/scratch.ts';

const FOREIGN = process.arch === 'x64' ? 'arm64' : 'x64';
const require = createRequire(import.meta.url);
const RUNTIME = dirname(require.resolve(`node-linux-${process.arch}/package.json`));

describe('releases', { timeout: 60_000 }, () => {
  let dataDir: string;
  beforeEach((t) => {
    dataDir = scratchFolder(t as TestContext);
  });

  /** A server's start with another program each time. */
  async function start(
    t: TestContext,
    code = 'one',
    version = '1.0.0',
    needed?: () => Promise<readonly string[]>,
  ): Promise<Releases> {
    const program = scratchFolder(t);
    writeFileSync(join(program, 'agent.mjs'), `// ${code}\n`);
    writeFileSync(join(program, 'node-options'), '--no-opt\n');
    const releases = await Releases.open({
      dataDir,
      version,
      key: ensureReleaseKey(dataDir),
      program,
      ...(needed && { needed }),
    });
    t.after(() => releases.close());
    return releases;
  }

  /** As npm would install it for machines of another kind, though not as a program. @returns the folder that it is in. */
  function foreignRuntime(version = require(`${RUNTIME}/package.json`).version): string {
    const packages = join(dataDir, 'packages', FOREIGN, 'node_modules');
    const folder = join(packages, `node-linux-${FOREIGN}`);
    mkdirSync(join(folder, 'bin'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ version }));
    writeFileSync(join(folder, 'bin', 'node'), Buffer.alloc(10_000_000, 'node'));
    return packages;
  }

  const manifestOf = (
    releases: Releases,
    {
      hash = releases.own.hash,
      serial = 1,
      version = '1.0.0',
      architecture = process.arch as string,
      hasOwnNode = true,
    } = {},
  ): Promise<SignedManifest | undefined> => releases.manifest({ hash, serial, version, architecture, hasOwnNode });

  async function parsed(releases: Releases, wanted: Parameters<typeof manifestOf>[1] = {}): Promise<Manifest> {
    const signed = await manifestOf(releases, wanted);
    assert.ok(signed);
    return manifestSchema.parse(JSON.parse(signed.text));
  }

  async function readAll(releases: Releases, sha256: string): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let offset = 0; ; offset += MAX_CHUNK_BYTES) {
      const piece = await releases.read(sha256, offset);
      if (piece === undefined) return Buffer.concat(pieces);
      assert.ok(piece.length > 0 && piece.length <= MAX_CHUNK_BYTES);
      pieces.push(piece);
    }
  }

  const sha256Of = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
  const kept = (): string[] => readdirSync(join(dataDir, 'releases')).filter((name) => name !== 'runtime');

  describe('a manifest', () => {
    it('says what was asked for, and is signed by the key whose public part is told', async (t) => {
      const releases = await start(t);
      const signed = await manifestOf(releases, { serial: 7, version: '2.0.0' });
      const { version, serial, hash, architecture, files, runtime } = manifestSchema.parse(
        JSON.parse(signed?.text ?? ''),
      );
      assert.deepEqual([version, serial, hash, architecture], ['2.0.0', 7, releases.own.hash, process.arch]);
      assert.equal(runtime, undefined);
      assert.ok(files.some(({ path }) => path === 'agent.mjs'));
      const raw = Buffer.from(releases.publicKey, 'base64');
      const key = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]);
      const publicKey = createPublicKey({ key, format: 'der', type: 'spki' });
      const signature = Buffer.from(signed?.signature ?? '', 'base64');
      assert.equal(verify(null, Buffer.from(signed?.text ?? ''), publicKey, signature), true);
      assert.deepEqual(await manifestOf(releases, { serial: 7, version: '2.0.0' }), signed);
    });

    it('lists the runtime for hosts that have none of their own', async (t) => {
      const releases = await start(t);
      const file = join(RUNTIME, 'bin', 'node');
      const { runtime } = await parsed(releases, { hasOwnNode: false });
      assert.deepEqual(runtime, {
        ...{ version: `v${require(`${RUNTIME}/package.json`).version}`, bytes: statSync(file).size },
        sha256: sha256Of(readFileSync(file)),
      });
    });

    it('is not to be had of an unknown release, or for machines that there are no packages for', async (t) => {
      const releases = await start(t);
      assert.equal(releases.has('0'.repeat(64)), false);
      assert.equal(await manifestOf(releases, { hash: '0'.repeat(64) }), undefined);
      assert.equal(await manifestOf(releases, { architecture: FOREIGN, hasOwnNode: false }), undefined);
      for (const architecture of ['', '..', '../..', 'x64/..', 'pdp11', 'constructor', '__proto__'])
        assert.equal(await manifestOf(releases, { architecture }), undefined, architecture);
      assert.deepEqual(kept(), [releases.own.hash]);
    });

    it('has the same hash for machines of another kind, whose packages may come while the server runs', async (t) => {
      const releases = await start(t);
      const wanted = { architecture: FOREIGN, hasOwnNode: false };
      assert.equal(await manifestOf(releases, wanted), undefined);
      const packages = foreignRuntime();
      const manifests = await Promise.all([parsed(releases, wanted), parsed(releases, wanted), parsed(releases)]);
      assert.deepEqual(manifests[0], manifests[1]);
      const [{ hash, files, architecture }] = manifests;
      assert.deepEqual([hash, architecture], [releases.own.hash, FOREIGN]);
      const agent = files.find(({ path }) => path === 'agent.mjs');
      assert.equal(`${await readAll(releases, agent?.sha256 ?? '')}`, '// one\n');
      // Another version of the runtime would be another release.
      rmSync(packages, { recursive: true });
      dataDir = scratchFolder(t);
      foreignRuntime('26.0.1');
      assert.equal(await manifestOf(await start(t), wanted), undefined);
    });
  });

  describe('a file', () => {
    it('is read in pieces by its SHA-256, small or large, by many at the same time', async (t) => {
      const releases = await start(t);
      const { files, runtime } = await parsed(releases, { hasOwnNode: false });
      for (const { sha256, bytes } of files) {
        const contents = await Promise.all(Array.from({ length: 20 }, () => readAll(releases, sha256)));
        for (const content of contents) assert.deepEqual([sha256Of(content), content.length], [sha256, bytes]);
      }
      assert.ok(runtime);
      assert.equal(sha256Of(await readAll(releases, runtime.sha256)), runtime.sha256);
      const last = await Promise.all(
        Array.from({ length: 200 }, () => releases.read(runtime.sha256, runtime.bytes - 3)),
      );
      assert.ok(last.every((piece) => piece?.length === 3));
      assert.equal(await releases.read(runtime.sha256, runtime.bytes), undefined);
    });

    it('is none when nobody lists it, or past its end', async (t) => {
      const releases = await start(t);
      const { files } = await parsed(releases);
      assert.equal(await releases.read('0'.repeat(64), 0), undefined);
      assert.equal(await releases.read(files[0]?.sha256 ?? '', 1e9), undefined);
    });

    it('is none when it does not hold any more what is said of it', async (t) => {
      const releases = await start(t);
      const { files, hash } = await parsed(releases);
      writeFileSync(join(dataDir, 'releases', hash, process.arch, 'agent.mjs'), '// 0ne\n');
      assert.equal(await releases.read(files.find(({ path }) => path === 'agent.mjs')?.sha256 ?? '', 0), undefined);
    });
  });

  describe('those of earlier starts', () => {
    it('are there with their files and runtime, five with the own one', async (t) => {
      t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
      const hashes: string[] = [];
      for (const code of ['one', 'two', 'three', 'four', 'five', 'six']) {
        t.mock.timers.tick(1_000);
        const { own } = await start(t, code);
        hashes.push(own.hash);
      }
      assert.equal(new Set(hashes).size, 6);
      assert.deepEqual(kept().sort(), hashes.slice(1).sort());
      // The oldest of them is what runs again, so it is not what goes next.
      t.mock.timers.tick(1_000);
      assert.equal((await start(t, 'two')).own.hash, hashes[1]);
      t.mock.timers.tick(1_000);
      const releases = await start(t, 'seven');
      assert.deepEqual(
        [hashes[1], hashes[2]].map((hash) => releases.has(hash ?? '')),
        [true, false],
      );
      const { files, runtime } = await parsed(releases, { hash: hashes[1], hasOwnNode: false });
      const agent = files.find(({ path }) => path === 'agent.mjs');
      assert.equal(`${await readAll(releases, agent?.sha256 ?? '')}`, '// two\n');
      assert.ok(runtime);
    });

    it('are there longer when they may be gone back to, or nobody knows whether they may', async (t) => {
      t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
      const { own } = await start(t, 'good');
      const broken = ['one', 'two', 'three', 'four', 'five', 'six'];
      for (const code of broken) {
        t.mock.timers.tick(1_000);
        await start(t, code, '1.0.0', async () => [own.hash]);
      }
      assert.equal(kept().length, 6);
      const last = await start(t, 'six', '1.0.0', () => Promise.reject(new Error('the store is away')));
      assert.equal(kept().length, 6);
      assert.equal(last.has(own.hash), true);
      assert.equal((await start(t, 'six')).has(own.hash), false);
    });

    it('keep the runtime that hosts were given, whatever is installed later', async (t) => {
      const packages = foreignRuntime();
      const first = await start(t, 'one');
      const wanted = { hash: first.own.hash, architecture: FOREIGN, hasOwnNode: false };
      const { runtime } = await parsed(first, wanted);
      rmSync(packages, { recursive: true });
      const second = await start(t, 'two');
      assert.equal(await manifestOf(second, { ...wanted, hash: second.own.hash }), undefined);
      assert.deepEqual((await parsed(second, wanted)).runtime, runtime);
      assert.equal((await second.read(runtime?.sha256 ?? '', 0))?.length, MAX_CHUNK_BYTES);
    });

    it('are left out when they are damaged, or half made, and the own one is made anew', async (t) => {
      const first = await start(t, 'one');
      const second = await start(t, 'two');
      const own = join(dataDir, 'releases', second.own.hash, process.arch, 'agent.mjs');
      truncateSync(join(dataDir, 'releases', first.own.hash, process.arch, 'agent.mjs'), 0);
      writeFileSync(own, '');
      mkdirSync(join(dataDir, 'releases', '1'.repeat(64)));
      mkdirSync(join(dataDir, 'releases', '2'.repeat(64)));
      writeFileSync(join(dataDir, 'releases', '2'.repeat(64), 'release.json'), '{"runtimeVersion":');
      mkdirSync(join(dataDir, 'releases', 'arm64.partial'));
      const third = await start(t, 'two');
      assert.equal(third.has(first.own.hash), false);
      assert.deepEqual(kept(), [second.own.hash]);
      assert.equal(readFileSync(own, 'utf8'), '// two\n');
    });

    it('lose a runtime that is damaged, and it is brought again', async (t) => {
      const first = await start(t, 'one');
      const { runtime } = await parsed(first, { hasOwnNode: false });
      assert.ok(runtime);
      const file = join(dataDir, 'releases', 'runtime', runtime.sha256);
      // A second name of the installed one: it must not be written into.
      rmSync(file);
      writeFileSync(file, 'half');
      const again = await start(t, 'one');
      assert.deepEqual((await parsed(again, { hasOwnNode: false })).runtime, runtime);
      assert.equal(sha256Of(await readAll(again, runtime.sha256)), runtime.sha256);
    });
  });

  it('says what to do when the disk does not take them', async (t) => {
    writeFileSync(join(dataDir, 'releases'), 'in the way');
    await assert.rejects(start(t), {
      ...{ name: 'Problem', code: 'ERR_RELEASE' },
      message: `the agent's release cannot be kept in ${dataDir}/releases (ENOTDIR): make room, or set [global] data_dir`,
    });
  });
});
