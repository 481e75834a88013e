import { randomUUID } from 'node:crypto';
import { constants, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, link, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { Problem } from '../../problem.ts';
import { releaseFileSchema, sha256Schema } from '../../protocol/release.ts';
import type { ReleaseFile } from './agent-release.ts';
import type { Runtime } from './runtime.ts';

const MAX_KEPT = 5;
const DESCRIPTION = 'release.json';

const runtimeSchema = z.object({ bytes: z.int().check(z.minimum(1)), sha256: sha256Schema });
const descriptionSchema = z.object({
  runtimeVersion: z.string(),
  /** When it last was a server's own, epoch ms. */
  startedMs: z.int(),
  architectures: z.record(
    z.string(),
    z.object({
      files: z.array(releaseFileSchema),
      /** Absent until a host of that kind wanted it. */
      runtime: z.optional(runtimeSchema),
    }),
  ),
});
export type KeptRelease = z.infer<typeof descriptionSchema>;

/**
 * The files of releases, in `HASH/ARCHITECTURE/`, described in `HASH/release.json`; and their runtimes, in
 * `runtime/SHA256`. What is in there is whole: it is made beside and renamed. One process at a time has the folder.
 */
export class KeptReleases {
  readonly folder: string;
  readonly #releases = new Map<string, KeptRelease>();

  /** Reads what is there; what is damaged is not. @throws what the file system throws, other than absence. */
  constructor(folder: string) {
    this.folder = folder;
    if (!existsSync(folder)) return;
    for (const hash of readdirSync(folder)) {
      const release = sha256Schema.safeParse(hash).success ? this.#read(hash) : undefined;
      if (release !== undefined) this.#releases.set(hash, release);
    }
  }

  get(hash: string): KeptRelease | undefined {
    return this.#releases.get(hash);
  }

  /** Where the files of a release are made, to be taken over by `add`. */
  partial(architecture: string): string {
    return join(this.folder, `${architecture}.partial`);
  }

  folderOf(hash: string, architecture: string): string {
    return join(this.folder, hash, architecture);
  }

  runtimeFile(sha256: string): string {
    return join(this.folder, 'runtime', sha256);
  }

  /** Each file by its SHA-256. */
  contents(): Map<string, { file: string; bytes: number }> {
    const contents = new Map<string, { file: string; bytes: number }>();
    for (const [hash, { architectures }] of this.#releases)
      for (const [architecture, { files, runtime }] of Object.entries(architectures)) {
        const folder = this.folderOf(hash, architecture);
        for (const { path, sha256, bytes } of files) contents.set(sha256, { file: join(folder, path), bytes });
        if (runtime !== undefined)
          contents.set(runtime.sha256, { file: this.runtimeFile(runtime.sha256), bytes: runtime.bytes });
      }
    return contents;
  }

  /** Takes over what was made in `partial`. @throws what the file system throws. */
  async add(
    hash: string,
    architecture: string,
    files: ReleaseFile[],
    facts: Omit<KeptRelease, 'architectures'>,
  ): Promise<void> {
    const to = this.folderOf(hash, architecture);
    const former = `${to}.former`;
    await mkdir(join(to, '..'), { recursive: true, mode: 0o700 });
    await rm(former, { recursive: true, force: true });
    // At once: somebody may be reading what is there.
    if (existsSync(to)) renameSync(to, former);
    renameSync(this.partial(architecture), to);
    await rm(former, { recursive: true, force: true });
    const runtime = this.get(hash)?.architectures[architecture]?.runtime;
    this.#describe(hash, architecture, { files, runtime }, facts);
  }

  /** Keeps the runtime beside: the package that it is of may be another one tomorrow. @throws what the file system throws. */
  async addRuntime(hash: string, architecture: string, { file, bytes, hash: sha256 }: Runtime): Promise<void> {
    const release = this.#releases.get(hash);
    const kept = release?.architectures[architecture];
    if (release === undefined || kept === undefined) return;
    const to = this.runtimeFile(sha256);
    if (!isWhole(to, bytes)) await bring(file, to);
    this.#describe(hash, architecture, { ...kept, runtime: { bytes, sha256 } }, release);
  }

  /** Takes away what is neither one of these nor among the last that were a server's own, and what is damaged. */
  async prune(needed: readonly string[]): Promise<void> {
    const last = [...this.#releases].sort(([, a], [, b]) => b.startedMs - a.startedMs).map(([hash]) => hash);
    const kept = new Set([...needed, ...last.slice(0, MAX_KEPT)]);
    for (const hash of last) if (!kept.has(hash)) this.#releases.delete(hash);
    const contents = this.contents();
    const isKept = (name: string): boolean => kept.has(name) || name === 'runtime';
    const gone = readdirSync(this.folder).filter((name) => !isKept(name));
    const runtimes = existsSync(this.runtimeFile('')) ? readdirSync(this.runtimeFile('')) : [];
    gone.push(...runtimes.filter((sha256) => !contents.has(sha256)).map((sha256) => join('runtime', sha256)));
    for (const name of gone) await rm(join(this.folder, name), { recursive: true, force: true });
  }

  #describe(
    hash: string,
    architecture: string,
    described: KeptRelease['architectures'][string],
    { runtimeVersion, startedMs }: Omit<KeptRelease, 'architectures'>,
  ): void {
    const architectures = { ...this.get(hash)?.architectures, [architecture]: described };
    const release = { runtimeVersion, startedMs, architectures };
    const file = join(this.folder, hash, DESCRIPTION);
    // At once: another kind of machine may be described while this one waits for the disk.
    writeFileSync(`${file}.partial`, `${JSON.stringify(release, undefined, 2)}\n`, { mode: 0o600 });
    renameSync(`${file}.partial`, file);
    this.#releases.set(hash, release);
  }

  #read(hash: string): KeptRelease | undefined {
    let text: string;
    try {
      text = readFileSync(join(this.folder, hash, DESCRIPTION), 'utf8');
    } catch {
      return undefined;
    }
    const { data: release } = descriptionSchema.safeParse(parseJson(text));
    if (release === undefined) return undefined;
    for (const [architecture, { files, runtime }] of Object.entries(release.architectures)) {
      const folder = this.folderOf(hash, architecture);
      if (!files.every(({ path, bytes }) => isWhole(join(folder, path), bytes))) return undefined;
      if (runtime !== undefined && !isWhole(this.runtimeFile(runtime.sha256), runtime.bytes))
        delete release.architectures[architecture]?.runtime;
    }
    return release;
  }
}

/** As a second name where the file system lets us, which takes no room, else as a copy. */
async function bring(from: string, to: string): Promise<void> {
  await mkdir(join(to, '..'), { recursive: true, mode: 0o700 });
  const draft = `${to}.${randomUUID()}`;
  await link(from, draft).catch(() => copyFile(from, draft, constants.COPYFILE_FICLONE));
  await rename(draft, to);
}

function isWhole(file: string, bytes: number): boolean {
  return statSync(file, { throwIfNoEntry: false })?.size === bytes;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What can be done about an error while something is made or kept. */
export function keepingProblem(folder: string, cause: unknown): Problem {
  const reason = cause instanceof Error && 'code' in cause ? cause.code : String(cause).split('\n').at(-1);
  return new Problem(
    'ERR_RELEASE',
    `the agent's release cannot be kept in ${folder} (${reason}): make room, or set [global] data_dir`,
    { cause },
  );
}
