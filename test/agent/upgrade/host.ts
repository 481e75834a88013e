import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Installation, installationIn } from '../../../src/agent/upgrade/installation.ts';
import { Upgrader, type UpgraderOptions } from '../../../src/agent/upgrade/upgrader.ts';
import type { AgentToServer } from '../../../src/protocol/message.ts';
import { MAX_CHUNK_BYTES, type Manifest, type Upgrade } from '../../../src/protocol/release.ts';
import { scratchFolder } from '../../support/scratch.ts';

export const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

export interface Made {
  manifest: Manifest;
  text: string;
  signature: string;
  /** By path. */
  files: Map<string, Buffer>;
  node: Buffer | undefined;
}

/** Makes and signs releases, as servers do. */
export class Mint {
  readonly #key: KeyObject;
  /** The raw public key. */
  readonly releaseKey: string;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    this.#key = privateKey;
    this.releaseKey = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64');
  }

  /** @param node what its runtime is; undefined: the host's own. */
  make(
    version: string,
    serial: number,
    contents: Record<string, string | Buffer>,
    node: string | Buffer | undefined,
    change: Partial<Manifest> = {},
  ): Made {
    const files = new Map(Object.entries(contents).map(([path, content]) => [path, Buffer.from(content)]));
    const manifest: Manifest = {
      version,
      serial,
      hash: sha256(version),
      architecture: process.arch,
      files: [...files].map(([path, content]) => ({ path, bytes: content.length, sha256: sha256(content) })),
      ...(node !== undefined && {
        runtime: { version: 'v26.0.0', bytes: Buffer.byteLength(node), sha256: sha256(node) },
      }),
      ...change,
    };
    const text = JSON.stringify(manifest, undefined, 1);
    return { manifest, text, signature: this.sign(text), files, node: node === undefined ? node : Buffer.from(node) };
  }

  sign(text: string): string {
    return sign(null, Buffer.from(text), this.#key).toString('base64');
  }
}

export function upgradeTo({ text, signature }: Made, trialMs = 60_000): Upgrade {
  return { type: 'upgrade', manifest: text, signature, trialMs };
}

/** Puts a release into a folder as a deployment does. */
export function install(folder: string, { manifest, text, signature, files, node }: Made): Installation {
  const installation = installationIn(folder);
  const release = join(installation.releases, manifest.hash);
  for (const [path, content] of files) {
    mkdirSync(dirname(join(release, path)), { recursive: true });
    writeFileSync(join(release, path), content);
  }
  writeFileSync(join(release, 'manifest.json'), text);
  writeFileSync(join(release, 'manifest.sig'), signature);
  if (node !== undefined) {
    const runtime = join(installation.runtimes, sha256(node));
    mkdirSync(runtime, { recursive: true });
    writeFileSync(join(runtime, 'node'), node);
    chmodSync(join(runtime, 'node'), 0o700);
    symlinkSync(`../../runtime/${sha256(node)}/node`, join(release, 'node'));
  }
  mkdirSync(join(folder, 'data'), { recursive: true });
  rmSync(installation.current, { force: true });
  symlinkSync(`releases/${manifest.hash}`, installation.current);
  return installation;
}

/** What a host's folder shows from the outside. */
export function seen({ current, releases, trial, failed, incoming }: Installation) {
  return {
    current: readlinkSync(current).slice('releases/'.length),
    releases: readdirSync(releases).filter((name) => !name.startsWith('.')),
    trial: existsSync(trial) ? readFileSync(trial, 'utf8') : undefined,
    failed: existsSync(failed) ? readFileSync(failed, 'utf8') : undefined,
    incoming: existsSync(incoming) ? readdirSync(incoming) : [],
  };
}

/** Whether a release is whole: what its manifest lists is there, and no more. */
export function isWhole(installation: Installation, hash: string): boolean {
  const folder = join(installation.releases, hash);
  try {
    const manifest: Manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    const { runtime } = manifest;
    return (
      manifest.hash === hash &&
      existsSync(join(folder, 'manifest.sig')) &&
      manifest.files.every((file) => sha256(readFileSync(join(folder, file.path))) === file.sha256) &&
      (runtime === undefined || sha256(readFileSync(join(folder, 'node'))) === runtime.sha256)
    );
  } catch {
    return false;
  }
}

/** Answers what an upgrader asks for, as a server that has these files does. */
export class Source {
  readonly contents = new Map<string, Buffer>();
  /** Every question, by name and offset. */
  readonly asked: [name: string, offset: number][] = [];
  readonly names = new Map<string, string>();

  add({ files, node }: Made): void {
    for (const [path, content] of [...files, ...(node ? [['node', node] as const] : [])]) {
      this.contents.set(sha256(content), content);
      this.names.set(sha256(content), path);
    }
  }

  answer({ sha256, offset }: { sha256: string; offset: number }) {
    this.asked.push([this.names.get(sha256) ?? sha256, offset]);
    const data = this.contents.get(sha256)?.subarray(offset, offset + MAX_CHUNK_BYTES);
    return { type: 'chunk' as const, sha256, offset, ...(data && { data: data.toString('base64') }) };
  }
}

/** A runtime that does what a self-test is to do, whatever it is told to run. */
export const script = (body: string): string => `#!/bin/sh\n${body}\n`;
export const NODE = script('exit 0');

const FIRST = { 'agent.mjs': 'one', 'node-options': '--no-opt\n', 'lib/a.js': 'a' };

type OfType<T extends AgentToServer['type']> = Extract<AgentToServer, { type: T }>;

/** An upgrader of a host that runs `1.0`, and what it sends. Servers answer by themselves unless `isSilent`. */
export class Host {
  readonly mint: Mint;
  readonly source: Source;
  readonly first: Made;
  readonly installation: Installation;
  readonly sent: AgentToServer[] = [];
  readonly told: string[] = [];
  readonly troubles: string[] = [];
  handOver = async (): Promise<void> => void this.done.push('handed over');
  /** What it has done beyond its folder. */
  readonly done: string[] = [];
  isSilent = false;
  upgrader: Upgrader;
  readonly #t: TestContext;

  /** @param folder one in which a release of `like` is installed already, or where its own is to be. */
  constructor(t: TestContext, folder: string = scratchFolder(t), like?: Host) {
    this.#t = t;
    this.mint = like?.mint ?? new Mint();
    this.source = like?.source ?? new Source();
    this.first = like?.first ?? this.mint.make('1.0', 5, FIRST, NODE);
    this.installation = like === undefined ? install(folder, this.first) : installationIn(folder);
    if (like === undefined)
      t.mock.method(process, 'kill', (pid: number, signal: string) => {
        this.done.push(`${signal} to ${pid}`);
        return true;
      });
    this.upgrader = this.start(this.first);
  }

  /** Another agent begins in the place of the one before. */
  start({ manifest: running }: Made, options: Partial<UpgraderOptions> = {}): Upgrader {
    this.upgrader?.close();
    const upgrader = new Upgrader({
      installation: this.installation,
      running,
      releaseKey: this.mint.releaseKey,
      launcherPid: () => 77,
      handOver: () => this.handOver(),
      ...options,
    });
    upgrader.on('send', (message) => {
      this.sent.push(message);
      if (message.type === 'want' && !this.isSilent) upgrader.onChunk(this.source.answer(message));
    });
    upgrader.on('upgraded', ({ state, reason }) =>
      this.told.push(reason === undefined ? state : `${state}: ${reason}`),
    );
    upgrader.on('restart', () => this.done.push('restart'));
    upgrader.on('trouble', (error) => this.troubles.push(error.message));
    this.#t.after(() => upgrader.close());
    this.upgrader = upgrader;
    return upgrader;
  }

  /** Another version, of which only `agent.mjs` is new. */
  next(version = '2.0', serial = 6, node: string | undefined = NODE): Made {
    const made = this.mint.make(
      version,
      serial,
      { 'agent.mjs': `code of ${version}`, 'node-options': '--no-opt\n', 'lib/a.js': 'a' },
      node,
    );
    this.source.add(made);
    return made;
  }

  /** Pushes it; resolves when nothing more is to be expected of it. */
  async push(upgrade: Upgrade): Promise<string | undefined> {
    this.upgrader.upgrade(upgrade);
    return this.end();
  }

  async end(): Promise<string | undefined> {
    const isOver = (): boolean => this.done.includes('restart') || /^(failed|confirmed)/.test(this.told.at(-1) ?? '');
    while (!isOver()) await Promise.race([once(this.upgrader, 'upgraded'), once(this.upgrader, 'restart')]);
    return this.told.at(-1);
  }

  async nextSent<T extends AgentToServer['type']>(type: T): Promise<OfType<T>> {
    for (;;) {
      const position = this.sent.findIndex((message) => message.type === type);
      if (position >= 0) return this.sent.splice(position, 1)[0] as OfType<T>;
      await once(this.upgrader, 'send');
    }
  }
}
