import { Problem } from '../../problem.ts';
import type { Architecture } from '../release/runtime.ts';
import { LAYOUT } from './agent-settings.ts';
import type { SshConnection } from './connection.ts';
import { FIND_PROCESSES, PRELUDE } from './script.ts';
import { UNIT_FILE } from './service.ts';

/** What there is on a host. */
export interface HostState {
  /** As `uname -m` says: `x86_64`. */
  machine: string;
  /** Undefined: the host is none that we have a runtime for. */
  architecture: Architecture | undefined;
  libc: { kind: 'glibc'; version: [major: number, minor: number] } | { kind: 'other'; name: string };
  isRoot: boolean;
  user: string;
  has: { systemd: boolean; crontab: boolean; gzip: boolean };
  /** Of the file system of the folder. */
  freeBytes: number;
  isWritable: boolean;
  /** `foreign`: it holds something that is not ours. */
  folder: 'absent' | 'empty' | 'ours' | 'foreign';
  /** The hash of the release that the link names. */
  release: string | undefined;
  /** What the link `node` of that release leads to. */
  node: string | undefined;
  /** Those that were asked for and are not there, or not whole. */
  missing: string[];
  /** What the runtime in the folder, and the host's own that is configured, call themselves. */
  runtimeVersion: string | undefined;
  nodeVersion: string | undefined;
  settings: string | undefined;
  token: string | undefined;
  launcher: string | undefined;
  keeper: string | undefined;
  unit: string | undefined;
  crontab: string;
  /** Of agents that were started from the folder. */
  pids: number[];
  /** Of launchers there; of one whose release is on trial, or that waits, more than one. */
  launcherPids: number[];
}

export interface ProbeQuestion {
  folder: string;
  /** The host's own Node.js; empty: ours is brought. */
  node: string;
  /** Within the folder; empty: none is expected. */
  runtime: string;
  /** Expected within the folder. */
  files: readonly { path: string; bytes: number }[];
}

const PROBE_TIMEOUT_MS = 20_000;

/** Asks for everything at once. Each answer is a line `NAME:VALUE`; of a file each line is one. */
const PROBE = `${PRELUDE}
IFS= read -r folder
IFS= read -r node
IFS= read -r runtime
say() { printf "%s:%s\\n" "$1" "$2"; }
has() { command -v "$1" >/dev/null 2>&1; }
lines() { if [ -f "$2" ]; then say has "$1"; sed "s/^/$1:/" "$2"; fi; }
say machine "$(uname -m)"
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | head -n 1)
say libc "$libc"
say uid "$(id -u)"
say user "$(id -un)"
for program in crontab gzip; do if has $program; then say has $program; fi; done
if [ -d /run/systemd/system ] && has systemctl; then say has systemd; fi
at=$folder
while [ ! -e "$at" ]; do at=\${at%/*}; at=\${at:-/}; done
if [ -d "$at" ] && [ -w "$at" ]; then say has write; fi
say free "$(df -Pk "$at" | tail -n 1)"
if [ -e "$folder/${LAYOUT.marker}" ]; then say folder ours
elif [ ! -e "$folder" ]; then say folder absent
elif [ -d "$folder" ] && [ -z "$(ls -A "$folder" | grep -vx lost+found)" ]; then say folder empty
else say folder foreign
fi
if [ -n "$runtime" ] && [ -x "$folder/$runtime" ]; then say runtime "$("$folder/$runtime" --version 2>&1 | head -n 1)"; fi
if [ -n "$node" ]; then say node "$("$node" --version 2>&1 | head -n 1)"; fi
link=$(readlink "$folder/${LAYOUT.current}") && say release "\${link##*/}"
link=$(readlink "$folder/${LAYOUT.current}/node") && say link "$link"
while IFS=" " read -r size path; do
  if [ -z "$path" ]; then break; fi
  if [ "$(stat -c %s "$folder/$path" 2>/dev/null)" != "$size" ]; then say missing "$path"; fi
done
lines settings "$folder/${LAYOUT.settings}"
lines token "$folder/${LAYOUT.token}"
lines launcher "$folder/${LAYOUT.launcher}"
lines keeper "$folder/${LAYOUT.keeper}"
lines unit ${UNIT_FILE}
real=$(cd -P "$folder" 2>/dev/null && pwd || echo "$folder")
${FIND_PROCESSES}
for pid in $(agents); do say pid "$pid"; done
for pid in $(launchers); do say launcherPid "$pid"; done
crontab -l 2>/dev/null | sed "s/^/crontab:/"
say end .
`;

/** @throws Problem when the host does not answer as a Linux machine does. */
export async function probe(connection: SshConnection, question: ProbeQuestion): Promise<HostState> {
  const files = question.files.map(({ path, bytes }) => `${bytes} ${path}`);
  const input = [question.folder, question.node, question.runtime, ...files, ''].join('\n');
  const { stdout, stderr } = await connection.run(PROBE, `${input}\n`, PROBE_TIMEOUT_MS);
  const state = parseProbe(stdout);
  if (state !== undefined) return state;
  const said = (stderr || stdout).trim().split('\n').at(-1) || 'nothing';
  throw new Problem(
    'ERR_DEPLOY_SHELL',
    `it does not run commands of ${connection.user} as a Linux machine does (it said: ${said}): log in as a user with a shell`,
  );
}

/** @returns undefined for what is not the whole answer. */
export function parseProbe(output: string): HostState | undefined {
  const said = new Map<string, string[]>();
  for (const line of output.split('\n')) {
    const [, name, value] = /^(\w+):(.*)$/s.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const values = said.get(name);
    if (values === undefined) said.set(name, [value]);
    else values.push(value);
  }
  if (!said.has('end')) return undefined;
  const one = (name: string): string | undefined => said.get(name)?.[0];
  const has = (name: string): boolean => said.get('has')?.includes(name) ?? false;
  const file = (name: string): string | undefined =>
    has(name) ? (said.get(name) ?? []).map(ended).join('') : undefined;
  const machine = one('machine') ?? '';
  return {
    machine,
    architecture: ({ x86_64: 'x64', aarch64: 'arm64' } as const)[machine],
    libc: parseLibc(one('libc') ?? ''),
    isRoot: one('uid') === '0',
    user: one('user') ?? '',
    has: { systemd: has('systemd'), crontab: has('crontab'), gzip: has('gzip') },
    freeBytes: freeBytes(one('free') ?? ''),
    isWritable: has('write'),
    folder: (one('folder') ?? 'foreign') as HostState['folder'],
    release: one('release'),
    node: one('link'),
    missing: said.get('missing') ?? [],
    runtimeVersion: one('runtime'),
    nodeVersion: one('node'),
    settings: file('settings'),
    token: file('token'),
    launcher: file('launcher'),
    keeper: file('keeper'),
    unit: file('unit'),
    crontab: (said.get('crontab') ?? []).map(ended).join(''),
    pids: (said.get('pid') ?? []).map(Number),
    launcherPids: (said.get('launcherPid') ?? []).map(Number),
  };
}

const ended = (line: string): string => `${line}\n`;

/** `glibc 2.36`, `ldd (Debian GLIBC 2.36-9+deb12u10) 2.36`, `musl libc (x86_64)`. */
function parseLibc(text: string): HostState['libc'] {
  const [, major, minor] = /(?:glibc|GLIBC|GNU libc).*?\b(\d+)\.(\d+)/.exec(text) ?? [];
  if (major !== undefined) return { kind: 'glibc', version: [Number(major), Number(minor)] };
  return { kind: 'other', name: /musl/i.test(text) ? 'musl' : text };
}

/** `/dev/vda1 258036200 15640404 80012345 17% /`: its fourth column, in kB. */
function freeBytes(line: string): number {
  const kb = Number(/\s(\d+)\s+\d+%\s/.exec(line)?.[1]);
  return Number.isNaN(kb) ? 0 : kb * 1024;
}
