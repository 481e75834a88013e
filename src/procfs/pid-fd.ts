import { readdirSync, readlinkSync } from 'node:fs';
import { absence } from './kernel-file.ts';

/** Inodes of the sockets a process holds open: links `socket:[31337]` in /proc/[pid]/fd. Empty where it may not be read. */
export function readSocketInodes(procRoot: string, pid: number): number[] {
  const dir = `${procRoot}/${pid}/fd`;
  const inodes: number[] = [];
  for (const fd of listed(dir)) {
    const target = link(`${dir}/${fd}`);
    if (target?.startsWith('socket:[')) inodes.push(Number(target.slice(8, -1)));
  }
  return inodes;
}

/** Inode of the network namespace a process lives in; undefined where it may not be read. */
export function readNetNamespace(procRoot: string, pid: number): string | undefined {
  return link(`${procRoot}/${pid}/ns/net`);
}

function listed(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    absence(error);
    return [];
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    absence(error);
    return undefined;
  }
}
