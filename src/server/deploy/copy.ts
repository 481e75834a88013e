import { join } from 'node:path';
import type { Runtime } from '../release/runtime.ts';
import { LAYOUT } from './agent-settings.ts';
import type { SshConnection } from './connection.ts';
import type { HostState } from './probe.ts';
import { diskFull, PRELUDE, runScript } from './script.ts';
import { releasePath, runtimePath, type Target } from './target.ts';
import { type Upload, uploadAll } from './upload.ts';

const PREPARE_TIMEOUT_MS = 30_000;
/** To unpack and run a runtime on a slow disk. */
const FINISH_TIMEOUT_MS = 120_000;
/** An outbox and a log need room too. */
const SPARE_BYTES = 32 << 20;

/** What of a target has to be copied. */
export interface Lack {
  runtime: Runtime | undefined;
  release: Target['release'] | undefined;
}

export function lackOf(state: HostState, { runtime, release }: Pick<Target, 'runtime' | 'release'>): Lack {
  const isMissing = (path: string): boolean => state.missing.includes(path);
  const hasRuntime =
    runtime === undefined || (!isMissing(runtimePath(runtime)) && state.runtimeVersion === runtime.version);
  const hasRelease = !release.files.some(({ path }) => isMissing(`${releasePath(release)}/${path}`));
  return { runtime: hasRuntime ? undefined : runtime, release: hasRelease ? undefined : release };
}

/**
 * Copies what is lacking, beside the names it will have, and gives it these once it is whole.
 * @param compressed gives a file with the runtime compressed by gzip.
 */
export async function copyLacking(
  connection: SshConnection,
  state: HostState,
  { folder }: Target,
  { runtime, release }: Lack,
  compressed: (runtime: Runtime) => Promise<string>,
): Promise<void> {
  checkSpace(state, { runtime, release });
  const uploads: Upload[] = [];
  if (runtime !== undefined) {
    const to = partialPath(runtimePath(runtime));
    uploads.push(state.has.gzip ? { from: await compressed(runtime), to: `${to}.gz` } : { from: runtime.file, to });
  }
  for (const { path } of release?.files ?? [])
    uploads.push({
      from: join(release?.folder ?? '', path),
      to: partialPath(`${LAYOUT.releases}/${release?.hash}/${path}`),
    });
  const folders = new Set(uploads.map(({ to }) => join(to, '..')));
  await runScript(connection, PREPARE, [folder, ...folders, ''], PREPARE_TIMEOUT_MS);
  await uploadAll(
    connection,
    uploads.map(({ from, to }) => ({ from, to: `${folder}/${to}` })),
  );
  await runScript(connection, FINISH, [folder, runtime?.hash ?? '', release?.hash ?? ''], FINISH_TIMEOUT_MS);
}

/** Takes away what was copied in part. */
export async function dropPartial(connection: SshConnection, folder: string): Promise<void> {
  await runScript(connection, PREPARE, [folder, ''], PREPARE_TIMEOUT_MS);
}

/** `releases/HASH/agent.mjs` → `releases/HASH.partial/agent.mjs`. */
function partialPath(path: string): string {
  return path.replace(/^([^/]+\/[^/]+)/, '$1.partial');
}

/** @throws Problem when what is lacking has no room there. */
export function checkSpace({ freeBytes, has }: HostState, { runtime, release }: Lack): void {
  const runtimeBytes = runtime?.bytes ?? 0;
  const bytes =
    // The compressed one, not half as large, lies beside the other for a moment.
    runtimeBytes * (has.gzip ? 1.5 : 1) + (release?.files ?? []).reduce((sum, file) => sum + file.bytes, SPARE_BYTES);
  if (freeBytes >= bytes) return;
  const needsMb = Math.ceil(bytes / 1e6);
  throw diskFull(`procmesh needs ${needsMb} MB, it has ${Math.floor(freeBytes / 1e6)} MB`);
}

/** Makes the folder and those that are filled, and takes away what an earlier attempt left half-done. */
const PREPARE = `${PRELUDE}
set -eu
IFS= read -r folder
how=found
if [ ! -e "$folder" ]; then
  mkdir -p "$folder"
  how=made
fi
cd "$folder"
if [ ! -e ${LAYOUT.marker} ]; then echo $how >${LAYOUT.marker}; fi
rm -rf ${LAYOUT.releases}/*.partial ${LAYOUT.runtimes}/*.partial
while IFS= read -r path; do
  if [ -z "$path" ]; then break; fi
  mkdir -p "$path"
done
`;

/** Gives what was copied its name, once it is whole, on the disk and, of a runtime, seen to run. */
const FINISH = `${PRELUDE}
set -eu
IFS= read -r folder
IFS= read -r runtime
IFS= read -r release
cd "$folder"
place() {
  find "$1.partial" -type f -exec sync {} + 2>/dev/null || :
  rm -rf "$1"
  mv "$1.partial" "$1"
}
if [ -n "$runtime" ]; then
  partial=${LAYOUT.runtimes}/$runtime.partial
  if [ -e "$partial/node.gz" ]; then
    gzip -dc "$partial/node.gz" >"$partial/node"
    rm "$partial/node.gz"
  fi
  chmod 755 "$partial/node"
  if ! "$partial/node" --version >"$partial/said" 2>&1; then
    echo "Node.js does not run there: $(tail -n 1 "$partial/said")" >&2
    exit 1
  fi
  rm "$partial/said"
  place "${LAYOUT.runtimes}/$runtime"
fi
if [ -n "$release" ]; then place "${LAYOUT.releases}/$release"; fi
`;
