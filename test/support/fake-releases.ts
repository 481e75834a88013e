import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { MAX_CHUNK_BYTES, type Manifest } from '../../src/protocol/release.ts';
import type { ReleaseSource, SignedManifest, WantedManifest } from '../../src/server/release/release-source.ts';

/** Releases that are made up: each has a program and, for hosts without a Node.js of their own, a runtime. */
export class FakeReleases implements ReleaseSource {
  readonly own: { hash: string; version: string };
  readonly publicKey: string;
  readonly #privateKey;
  /** Programs by the hash of their release. */
  readonly #programs = new Map<string, Buffer>();
  readonly #contents = new Map<string, Buffer>();
  readonly runtime: Buffer;
  readonly architectures: string[];

  /** @param version what this server's own release is called; its hash is `hashOf('own')`. */
  constructor(version = '2.0.0', { runtime = Buffer.alloc(100_000, 'node'), architectures = ['x64', 'arm64'] } = {}) {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    this.publicKey = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
    this.#privateKey = privateKey;
    this.runtime = runtime;
    this.architectures = architectures;
    this.#contents.set(sha256(runtime), runtime);
    this.own = { hash: this.add('own'), version };
  }

  /** A release of an earlier start. @returns its hash. */
  add(program: string): string {
    const content = Buffer.from(program);
    this.#programs.set(sha256(content), content);
    this.#contents.set(sha256(content), content);
    return sha256(content);
  }

  has(hash: string): boolean {
    return this.#programs.has(hash);
  }

  async manifest(wanted: WantedManifest): Promise<SignedManifest | undefined> {
    const { hasOwnNode, ...rest } = wanted;
    const program = this.#programs.get(wanted.hash);
    if (program === undefined || !this.architectures.includes(wanted.architecture)) return undefined;
    const manifest: Manifest = {
      ...rest,
      files: [{ path: 'agent.mjs', bytes: program.length, sha256: sha256(program) }],
    };
    if (!hasOwnNode)
      manifest.runtime = { version: 'v26.10.0', bytes: this.runtime.length, sha256: sha256(this.runtime) };
    const text = JSON.stringify(manifest);
    return { text, signature: sign(null, Buffer.from(text), this.#privateKey).toString('base64') };
  }

  async read(hash: string, offset: number): Promise<Buffer | undefined> {
    const content = this.#contents.get(hash);
    return content === undefined || offset >= content.length
      ? undefined
      : content.subarray(offset, offset + MAX_CHUNK_BYTES);
  }

  async close(): Promise<void> {}
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
