import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

/** A process by its pid and start, which together never repeat; undefined when there is none. */
function processKey(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, , ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : `${pid} ${fields[17]}`;
  } catch {
    return undefined;
  }
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

/** Processes below this one, by what they were started with. */
export function descendants(pid: number): { pid: number; key: string; args: string[] }[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const children = pids.filter((candidate) => parentOf(candidate) === pid);
  return children.flatMap((child) => {
    const key = processKey(child);
    if (key === undefined) return [];
    const args = readFileSync(`/proc/${child}/cmdline`, 'utf8').split('\0');
    return [{ pid: child, key, args }, ...descendants(child)];
  });
}

/** Whether the very process is still there. */
export function isAlive({ pid, key }: { pid: number; key: string }): boolean {
  return processKey(pid) === key;
}

/** The one process below `procmesh start` that has this title. */
export function part(pid: number, name: 'server' | 'agent') {
  const found = descendants(pid).filter(({ args }) => args[0] === `procmesh-${name}`);
  const [one, ...others] = found;
  assert.ok(one !== undefined && others.length === 0, `${name}: ${found.length} found`);
  return one;
}
