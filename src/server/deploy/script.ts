import { Problem } from '../../problem.ts';
import { LAYOUT } from './agent-settings.ts';
import type { Finished, SshConnection } from './connection.ts';

/**
 * What every script that is run on hosts begins with. Scripts are constants for any POSIX shell, busybox's included;
 * what they work on comes line by line on their standard input.
 */
export const PRELUDE = `
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
`;

/**
 * Defines `put MODE FILE`: a file gets its new content at once, byte for byte. The input has the number of what is between
 * its ends of lines, then that.
 */
export const PUT = `
put() {
  IFS= read -r count
  (
    umask 077
    : >"$2.partial"
    while IFS= read -r line; do
      printf "%s" "$line"
      count=$((count - 1))
      if [ "$count" -eq 0 ]; then break; fi
      echo
    done >"$2.partial"
    chmod "$1" "$2.partial"
    mv -f "$2.partial" "$2"
  )
}
`;

/** What `put` reads. */
export function putLines(content: string): string[] {
  const lines = content.split('\n');
  return [String(lines.length), ...lines];
}

/**
 * Defines, of the folder `real`, `agents`: pids of agents that work there, `launchers`: those of what starts them, and what
 * counts the time for that, and `is_launcher PID`. That is what they are known by, whatever pid was noted of one once: an
 * agent works there, and either runs on a runtime of that folder or says that it was deployed. The shell that asks has
 * these words in its own command line.
 */
export const FIND_PROCESSES = `
here() {
  ls -l /proc/[0-9]*/cwd 2>/dev/null | while IFS= read -r entry; do
    case $entry in
      *"/cwd -> $real" | *"/cwd -> $real (deleted)") ;;
      *) continue ;;
    esac
    pid=\${entry%/cwd -> *}
    echo "\${pid##*/}"
  done
}
agents() {
  shell=$(readlink /proc/$$/exe)
  for pid in $(here); do
    program=$(readlink "/proc/$pid/exe") || continue
    if [ "$program" = "$shell" ]; then continue; fi
    case "$program $(tr "\\0" " " <"/proc/$pid/cmdline")" in
      "$real/"* | *" procmesh-agent"* | *" --deployed "*) echo "$pid" ;;
    esac
  done 2>/dev/null
}
launchers() {
  for pid in $(here); do
    case $(tr "\\0" " " <"/proc/$pid/cmdline") in
      *"/${LAYOUT.launcher} " | "sleep "[0-9]*" ") echo "$pid" ;;
    esac
  done 2>/dev/null
}
is_launcher() { launchers | grep -qxF "$1"; }
`;

/** Defines `stop COMMAND`: processes whose pids it prints are told to end, and have ended when it returns. */
export const STOP_PROCESSES = `
pause() { sleep 0.1 2>/dev/null || sleep 1; }
stop() {
  signal=TERM
  tries=0
  while pids=$("$1") && [ -n "$pids" ]; do
    if [ $((tries % 50)) -eq 0 ]; then
      kill -$signal $pids 2>/dev/null || :
      signal=KILL
    fi
    if [ "$tries" -ge 150 ]; then
      echo "the agent does not end" >&2
      return 1
    fi
    tries=$((tries + 1))
    pause
  done
}
`;

/** Defines `stop_all`, launchers first: one passes on to its agent that it is to end. Wants `FIND_PROCESSES`. */
export const STOP_ALL = `${STOP_PROCESSES}
running() {
  found=$(launchers)
  if [ -n "$found" ]; then echo "$found"; else agents; fi
}
stop_all() { stop running; }
`;

/** Runs a script that has to succeed; `rest` follows the lines of its input byte for byte. @throws Problem with what it said last when it does not. */
export async function runScript(
  connection: SshConnection,
  script: string,
  input: readonly string[],
  timeoutMs: number,
  rest = '',
): Promise<string> {
  const finished = await connection.run(script, `${input.join('\n')}\n${rest}`, timeoutMs);
  if (finished.code === 0) return finished.stdout;
  throw scriptProblem(connection, finished);
}

const NO_SPACE = /No space left|Disk quota/i;
const NO_RIGHTS = /Permission denied|not permitted|Read-only file system|not allowed/i;

/** Why a script failed, by what it said. */
export function scriptProblem(connection: SshConnection, { code, stderr }: Finished): Problem {
  const lines = stderr.trim().split('\n');
  const full = lines.find((line) => NO_SPACE.test(line));
  if (full !== undefined) return diskFull(full);
  const forbidden = lines.find((line) => NO_RIGHTS.test(line));
  if (forbidden !== undefined)
    return new Problem(
      'ERR_DEPLOY_RIGHTS',
      `${connection.user} lacks rights there (${forbidden}): log in as root, or set [global] script_dir to a folder of that user`,
    );
  const said = lines.at(-1) || `it ended with ${code ?? 'a signal'}`;
  return new Problem('ERR_DEPLOY_FAILED', `the work there failed (${said})`);
}

export function diskFull(why: string): Problem {
  return new Problem(
    'ERR_DEPLOY_DISK_FULL',
    `its disk is full (${why}): make room there, or set [global] script_dir to another disk`,
  );
}
