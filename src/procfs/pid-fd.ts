import { readdirSync, readlinkSync } from 'node:fs';
import { type Absent, absence } from './kernel-file.ts';

/** Inodes of the sockets a process holds open: links `socket:[31337]` in /proc/[pid]/fd. Empty where it may not be read. */
export function readSocketInodes(procRoot: string, pid: number): number[] {
  const inodes: number[] = [];
  const fds = listDescriptors(procRoot, pid);
  if (typeof fds === 'string') return inodes;
  for (const fd of fds) {
    const inode = readSocketInode(procRoot, pid, fd);
    if (inode !== undefined) inodes.push(inode);
  }
  return inodes;
}

/** Names of a process's open descriptors, `0` and so on, ascending. */
export function listDescriptors(procRoot: string, pid: number): string[] | Absent {
  try {
    return readdirSync(`${procRoot}/${pid}/fd`);
  } catch (error) {
    return absence(error);
  }
}

/** Inode of the socket behind a descriptor; undefined when it is none, is closed, or may not be read. */
export function readSocketInode(procRoot: string, pid: number, fd: string): number | undefined {
  const target = link(`${procRoot}/${pid}/fd/${fd}`);
  return target?.startsWith('socket:[') ? Number(target.slice(8, -1)) : undefined;
}

/** Inode of the network namespace a process lives in; undefined where it may not be read. */
export function readNetNamespace(procRoot: string, pid: number): string | undefined {
  return link(`${procRoot}/${pid}/ns/net`);
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    absence(error);
    return undefined;
  }
}
