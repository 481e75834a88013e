import { join } from 'node:path';
import { Problem } from '../../problem.ts';
import type { Manifest } from '../../protocol/release.ts';
import { type AgentRelease, makeRelease, releaseHash } from './agent-release.ts';
import { type Content, ContentReader } from './content-reader.ts';
import { KeptReleases, keepingProblem } from './kept-releases.ts';
import type { ReleaseKey } from './release-key.ts';
import type { ReleaseSource, SignedManifest, WantedManifest } from './release-source.ts';
import { findRuntime, type InstalledRuntime, type Runtime, readRuntime } from './runtime.ts';

export interface ReleasesOptions {
  /** Packages for machines of another kind are found there. */
  dataDir: string;
  /** Where releases are kept; absent: in the data folder. */
  folder?: string;
  /** `[global] version`. */
  version: string;
  key: ReleaseKey;
  /** A folder with the agent's program; absent: that of this installation. */
  program?: string;
  /** Hashes of releases that may be gone back to, however many came after them; nothing is taken away when it rejects. */
  needed?: () => Promise<readonly string[]>;
}

/** What is copied to a host of one kind. */
export interface Goods {
  release: AgentRelease;
  /** Undefined: the host's own is used. */
  runtime: Runtime | undefined;
  manifest: SignedManifest;
}

/** As Node.js names them, `process.arch`. What calls itself otherwise is no machine that an agent runs on. */
const ARCHITECTURES = ['arm', 'arm64', 'ia32', 'loong64', 'mips', 'mipsel', 'ppc64', 'riscv64', 's390x', 'x64'];

/** This server's own release, and those of its earlier starts, as far as they are kept. */
export class Releases implements ReleaseSource {
  readonly own: { readonly hash: string; readonly version: string };
  readonly #options: ReleasesOptions;
  readonly #kept: KeptReleases;
  readonly #reader = new ContentReader();
  #contents: ReadonlyMap<string, Content>;
  /** What was made or brought since the start, or is at the moment. */
  readonly #done = new Map<string, Promise<void>>();

  private constructor(options: ReleasesOptions, kept: KeptReleases, hash: string) {
    this.#options = options;
    this.#kept = kept;
    this.own = { hash, version: options.version };
    this.#contents = kept.contents();
    this.#done.set(process.arch, Promise.resolve());
  }

  /**
   * Makes the release of the code that runs here. The runtime, which is large, is not read before a host wants it.
   * @throws Problem when the bundle cannot be made or the disk does not take it.
   */
  static async open(options: ReleasesOptions): Promise<Releases> {
    const folder = options.folder ?? join(options.dataDir, 'releases');
    const architecture = process.arch;
    const foreignFolder = foreignFolderOf(options.dataDir, architecture);
    const runtimeVersion = findRuntime(architecture, foreignFolder)?.version ?? process.version;
    try {
      const kept = new KeptReleases(folder);
      const files = await makeRelease(kept.partial(architecture), architecture, foreignFolder, options.program);
      const hash = releaseHash(files, runtimeVersion);
      await kept.add(hash, architecture, files, { runtimeVersion, startedMs: Date.now() });
      const needed = options.needed === undefined ? [] : await options.needed().catch(() => undefined);
      if (needed !== undefined) await kept.prune([hash, ...needed]);
      return new Releases(options, kept, hash);
    } catch (error) {
      throw keepingProblem(folder, error);
    }
  }

  get publicKey(): string {
    return this.#options.key.publicKey;
  }

  has(hash: string): boolean {
    return this.#kept.get(hash) !== undefined;
  }

  async manifest(wanted: WantedManifest): Promise<SignedManifest | undefined> {
    return (await this.goods(wanted))?.manifest;
  }

  /** @returns undefined when it is not to be had here, as `manifest`. @throws Problem */
  async goods(wanted: WantedManifest): Promise<Goods | undefined> {
    const { hash, architecture, hasOwnNode } = wanted;
    const release = this.#kept.get(hash);
    if (release === undefined || !ARCHITECTURES.includes(architecture)) return undefined;
    if (!hasOwnNode && release.architectures[architecture]?.runtime === undefined) {
      const installed = findRuntime(architecture, this.#foreignFolder(architecture));
      if (installed?.version !== release.runtimeVersion) return undefined;
      await this.#once(`${architecture} ${hash}`, () => this.#bringRuntime(hash, architecture, installed));
    } else if (hash === this.own.hash) await this.#once(architecture, () => this.#makeFor(architecture));
    return this.#goods(wanted);
  }

  async read(sha256: string, offset: number): Promise<Buffer | undefined> {
    const content = this.#contents.get(sha256);
    return content === undefined ? undefined : this.#reader.read(sha256, content, offset);
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  #goods({ hash, serial, version, architecture, hasOwnNode }: WantedManifest): Goods | undefined {
    const release = this.#kept.get(hash);
    const { files, runtime: kept } = release?.architectures[architecture] ?? {};
    if (release === undefined || files === undefined || (!hasOwnNode && kept === undefined)) return undefined;
    const manifest: Manifest = { version, serial, hash, architecture, files };
    let runtime: Runtime | undefined;
    if (!hasOwnNode && kept !== undefined) {
      const { bytes, sha256 } = kept;
      runtime = { file: this.#kept.runtimeFile(sha256), bytes, hash: sha256, version: release.runtimeVersion };
      manifest.runtime = { version: runtime.version, bytes, sha256 };
    }
    const text = JSON.stringify(manifest);
    return {
      release: { folder: this.#kept.folderOf(hash, architecture), hash, files },
      runtime,
      manifest: { text, signature: this.#options.key.sign(text) },
    };
  }

  /** Packages for machines of another kind may be put here while the server runs. */
  async #makeFor(architecture: string): Promise<void> {
    const { hash } = this.own;
    const own = this.#kept.get(hash);
    if (own === undefined) return;
    const folder = this.#kept.partial(architecture);
    const program = this.#kept.folderOf(hash, process.arch);
    const files = await makeRelease(folder, architecture, this.#foreignFolder(architecture), program);
    // What is installed has been replaced since the start.
    if (releaseHash(files, own.runtimeVersion) !== hash) return;
    await this.#kept.add(hash, architecture, files, own);
    this.#contents = this.#kept.contents();
  }

  async #bringRuntime(hash: string, architecture: string, installed: InstalledRuntime): Promise<void> {
    if (hash === this.own.hash) await this.#once(architecture, () => this.#makeFor(architecture));
    await this.#kept.addRuntime(hash, architecture, await readRuntime(installed));
    this.#contents = this.#kept.contents();
  }

  /** What was done is done; what failed is done again when it is wanted again. @throws Problem */
  #once(what: string, work: () => Promise<void>): Promise<void> {
    let doing = this.#done.get(what);
    if (doing === undefined) {
      doing = work().catch((error) => {
        this.#done.delete(what);
        throw error instanceof Problem ? error : keepingProblem(this.#kept.folder, error);
      });
      this.#done.set(what, doing);
    }
    return doing;
  }

  /** npm keeps packages for one kind of machine in one folder. */
  #foreignFolder(architecture: string): string {
    return foreignFolderOf(this.#options.dataDir, architecture);
  }
}

/** What brings the packages that machines of a kind need. */
export function installCommand(dataDir: string, architecture: string): string {
  const packages = `node-linux-${architecture}@${process.versions.node} @koromix/koffi-linux-${architecture}`;
  return `npm install --prefix ${foreignFolderOf(dataDir, architecture)} --cpu=${architecture} ${packages}`;
}

/** Where an operator puts packages for machines of another kind. */
export function foreignFolderOf(dataDir: string, architecture: string): string {
  return join(dataDir, 'packages', architecture);
}
