import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface StatFields {
  pid: number;
  comm?: string;
  state?: string;
  ppid?: number;
  utime?: number;
  stime?: number;
  cutime?: number;
  cstime?: number;
  threads?: number;
  startTicks?: number;
  rssPages?: number;
  /** Address of the stack: the same from fork to fork, another one after an exec. */
  stackStart?: number;
}

/** A line of /proc/[pid]/stat as Linux 6.18 writes it: 52 fields. */
export function statLine(fields: StatFields): string {
  const { pid, comm = 'worker', state = 'S', ppid = 1, utime = 0, stime = 0, cutime = 0, cstime = 0 } = fields;
  const { threads = 1, startTicks = 100, rssPages = 358, stackStart = 140_727_347_013_296 } = fields;
  return (
    `${pid} (${comm}) ${state} ${ppid} ${pid} ${pid} 0 -1 4194304 99 0 0 0 ${utime} ${stime} ${cutime} ${cstime} ` +
    `20 -5 ${threads} 0 ${startTicks} 3133440 ${rssPages} 18446744073709551615 94906544361472 94906544381353 ` +
    `${stackStart} 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 94906544397360 94906544398976 94906759135232 ` +
    '140727347014135 140727347014155 140727347014155 140727347015659 0\n'
  );
}

/** The seven lines of /proc/[pid]/io. */
export function ioLines(readBytes: number, writeBytes: number, cancelledWriteBytes = 0): string {
  return (
    'rchar: 6976\nwchar: 17\nsyscr: 10\nsyscw: 1\n' +
    `read_bytes: ${readBytes}\nwrite_bytes: ${writeBytes}\ncancelled_write_bytes: ${cancelledWriteBytes}\n`
  );
}

/** A line of /proc/net/tcp for a socket in state LISTEN. */
export function listenLine(port: number, inode: number): string {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return tcpLine(`00000000:${hex} 00000000:0000 0A`, inode);
}

/** A line of /proc/net/tcp for a connection. */
export function connectionLine(port: number, inode: number): string {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return tcpLine(`0100007F:${hex} 0100007F:D2A4 01`, inode);
}

function tcpLine(ends: string, inode: number): string {
  return `   0: ${ends} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000000075370920 100 0 0 10 0\n`;
}

export const TCP_HEADER =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

export const NET_DEV_HEADER =
  'Inter-|   Receive                                                |  Transmit\n' +
  ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n';

/** Plain files where the kernel would have /proc, /sys and /etc/passwd; an idle machine of two cores until told otherwise. */
export class FakeProc {
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly passwdPath: string;

  constructor(dir: string) {
    // For checks as another user than the one that made the folder.
    chmodSync(dir, 0o755);
    this.procRoot = join(dir, 'proc');
    this.sysRoot = join(dir, 'sys');
    this.passwdPath = join(dir, 'passwd');
    mkdirSync(this.sysRoot);
    writeFileSync(this.passwdPath, 'root:x:0:0:root:/root:/bin/bash\nmysql:x:999:999::/var/lib/mysql:/bin/false\n');
    this.write(
      'stat',
      'cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\nbtime 1700000000\n',
    );
    this.write('uptime', '1000.00 1999.00\n');
    this.write('meminfo', 'MemTotal:       24684084 kB\nMemFree:        23903360 kB\nMemAvailable:   24055108 kB\n');
    this.write('sys/kernel/random/boot_id', '249dc5a9-24fa-4664-829f-8f3f32617250\n');
    this.write('net/dev', NET_DEV_HEADER);
    this.write('net/tcp', TCP_HEADER);
  }

  /** Writes /proc/stat; without forks the kernel does not tell how many there were. */
  cpu({ idle = 0, iowait = 0, forks }: { idle?: number; iowait?: number; forks?: number }): void {
    const cpus = `cpu  0 0 0 ${idle} ${iowait} 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\n`;
    this.write('stat', `${cpus}btime 1700000000\n${forks === undefined ? '' : `processes ${forks}\n`}`);
  }

  /** Writes a file below /proc. */
  write(path: string, text: string | Buffer): void {
    const file = join(this.procRoot, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  /** Makes a process or changes its stat line; its other files stay as they are. */
  process(fields: StatFields, files: { io?: string; cmdline?: string; cgroup?: string } = {}): void {
    this.write(`${fields.pid}/stat`, statLine(fields));
    for (const [name, text] of Object.entries(files)) this.write(`${fields.pid}/${name}`, text);
  }

  /** Gives a process open files: what each link in /proc/[pid]/fd points to. */
  open(pid: number, targets: readonly string[]): void {
    const dir = join(this.procRoot, String(pid), 'fd');
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    for (const [fd, target] of targets.entries()) symlinkSync(target, join(dir, String(fd)));
  }

  /** Puts a process into a network namespace. */
  enterNamespace(pid: number, inode: number): void {
    const link = join(this.procRoot, String(pid), 'ns', 'net');
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(`net:[${inode}]`, link);
  }

  remove(path: string | number): void {
    rmSync(join(this.procRoot, String(path)), { recursive: true, force: true });
  }
}
