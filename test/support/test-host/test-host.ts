import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import type { HostCgroup } from './cgroup.ts';

const run = promisify(execFile);
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Plan {
  name: string;
  /** Empty; what is mounted over it only the host sees. */
  folder: string;
  address: string;
  /** Of every command that holds something up. */
  prefix: readonly string[];
  keyFile: string;
  hostKeyFile: string;
  link: { switchPid: number; port: string };
  /** Of a host that systemd runs. */
  cgroup: HostCgroup | undefined;
}

/** Where every host has the Node.js that this process runs on. */
export const HOST_NODE = '/run/node';

/** What changes by itself while a host runs. */
const RESTLESS = /^\/(var\/log|var\/lib\/systemd|etc\/ssh|root\/\.ssh)(\/|$)/;

/** A machine of its own with a real sshd, systemd where it is asked for, and nothing else running. */
export class TestHost {
  readonly name: string;
  readonly address: string;
  readonly hostKeyFile: string;
  readonly #plan: Plan;
  /** Outside of the host's processes, with what the host wrote as its folder. */
  readonly #holder: ChildProcess;
  /** Of the host's first process, as this machine sees it. */
  readonly #initPid: number;

  private constructor(plan: Plan, holder: ChildProcess, initPid: number) {
    this.name = plan.name;
    this.address = plan.address;
    this.hostKeyFile = plan.hostKeyFile;
    this.#plan = plan;
    this.#holder = holder;
    this.#initPid = initPid;
  }

  static async boot(t: TestContext, plan: Plan): Promise<TestHost> {
    const [program = '', ...args] = [
      ...plan.prefix,
      ...[
        'unshare',
        '--mount',
        '--net',
        '--uts',
        '--ipc',
        'sh',
        here('machine.sh'),
        plan.folder,
        plan.name,
        process.execPath,
        plan.cgroup?.name ?? '',
      ],
    ];
    const holder = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    holder.stderr.on('data', (chunk) => {
      said += chunk;
    });
    let host: TestHost | undefined;
    t.after(() => host?.end() ?? holder.kill('SIGKILL'));
    await Promise.race([
      once(holder.stdout, 'data'),
      once(holder, 'exit').then(([code]) => Promise.reject(new Error(`${plan.name} ended with ${code}: ${said}`))),
    ]);
    const unsharePid = childOf(holder.pid as number);
    host = new TestHost(plan, holder, childOf(unsharePid));
    host.#plugIn();
    // It has started every target before it says so.
    if (plan.cgroup) await host.sh('until systemctl is-system-running --quiet; do sleep 0.05; done 2>/dev/null');
    await host.#setUpSshd();
    await host.startSshd();
    return host;
  }

  /** As it is written in the table of hosts. */
  get rshost(): string {
    return `root@${this.address}`;
  }

  /** Runs a shell's script on the host, not over the network. @returns what it printed; rejects when it fails. */
  async sh(script: string): Promise<string> {
    const { stdout } = await run('nsenter', ['-t', String(this.#initPid), '-a', 'sh', '-c', script], {
      maxBuffer: 1 << 26,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C' },
    });
    return stdout;
  }

  /** Where this machine finds one of the host's files. */
  path(file: string): string {
    return `/proc/${this.#initPid}/root${file}`;
  }

  /** Command lines of the processes that run there, without the host's own and kernel threads. */
  async processes(): Promise<string[]> {
    const lines = (await this.sh('ps -eo pid=,args=')).trim().split('\n');
    return lines
      .map((line) => line.trim().replace(/^\d+ /, ''))
      .filter(
        (args) =>
          !/^(ps -eo|sh -c|sleep 1000000|sshd|\/usr\/sbin\/sshd|\/lib\/systemd\/systemd )|<defunct>$/.test(args),
      );
  }

  /** Sees that these and no others run there, once what is ending has ended. */
  async assertProcesses(expected: readonly string[]): Promise<void> {
    let found = await this.processes();
    for (let tries = 0; tries < 50 && !isDeepStrictEqual(found, expected); tries += 1) {
      await delay(100);
      found = await this.processes();
    }
    assert.deepEqual(found, expected);
  }

  /**
   * What the host has written or taken away since it was booted, by path: type, mode and content. Two of these are equal
   * when nothing has changed in between.
   */
  files(): Record<string, string> {
    const root = `/proc/${this.#holder.pid}/cwd/upper`;
    const found: Record<string, string> = {};
    const visit = (path: string): void => {
      for (const name of readdirSync(root + path)) {
        const inner = `${path}/${name}`;
        if (RESTLESS.test(inner)) continue;
        const stat = lstatSync(root + inner);
        const mode = (stat.mode & 0o7777).toString(8);
        if (stat.isDirectory()) {
          // The overlay makes folders of its own for what is written in the machine's.
          if (!existsSync(inner)) found[inner] = `folder ${mode}`;
          visit(inner);
        } else if (stat.isSymbolicLink()) found[inner] = `link to ${readlinkSync(root + inner)}`;
        else if (stat.isFile()) {
          const content = createHash('sha256')
            .update(inner.startsWith('/var/spool/cron/') ? crontabOf(root + inner) : readFileSync(root + inner))
            .digest('hex');
          found[inner] = `file ${mode} ${content}`;
        } else found[inner] = 'gone';
      }
    };
    visit('');
    return found;
  }

  cutLink(): void {
    this.#inSwitch('ip', 'link', 'set', this.#plan.link.port, 'down');
  }

  joinLink(): void {
    this.#inSwitch('ip', 'link', 'set', this.#plan.link.port, 'up');
  }

  /** Lets only so much through to the host, `20mbit`, until `freeLink`. */
  slowLink(rate: string): void {
    const shape = ['qdisc', 'add', 'dev', this.#plan.link.port, 'root', 'tbf', 'rate', rate];
    this.#inSwitch('tc', ...shape, 'burst', '64kb', 'latency', '100ms');
  }

  freeLink(): void {
    this.#inSwitch('tc', 'qdisc', 'del', 'dev', this.#plan.link.port, 'root');
  }

  async startSshd(): Promise<void> {
    // It writes its pid once it listens.
    await this.sh('/usr/sbin/sshd -f /etc/ssh/test_config; while [ ! -s /run/sshd.pid ]; do sleep 0.02; done');
  }

  /** Ends the sshd that listens; connections that stand go on. */
  async stopSshd(): Promise<void> {
    await this.sh(
      'kill $(cat /run/sshd.pid); while kill -0 $(cat /run/sshd.pid 2>/dev/null) 2>/dev/null; do sleep 0.05; done',
    );
  }

  /** Stops every sshd in its tracks: it goes on holding its sockets and says nothing more. */
  async hangSshd(): Promise<void> {
    await this.sh('kill -STOP $(pgrep -x sshd)');
  }

  async resumeSshd(): Promise<void> {
    await this.sh('kill -CONT $(pgrep -x sshd)');
  }

  /** Writes a program that is found before the system's own of that name. */
  fakeProgram(name: string, script: string): void {
    const file = this.path(`/usr/local/bin/${name}`);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  }

  /** Takes away every copy of a program. */
  async removeProgram(name: string): Promise<void> {
    await this.sh(`rm -f /bin/${name} /usr/bin/${name} /usr/local/bin/${name} /sbin/${name} /usr/sbin/${name}`);
  }

  /** Makes a folder a file system of its own that holds so much. */
  async limitDisk(folder: string, megabytes: number): Promise<void> {
    await this.sh(`mkdir -p ${folder} && mount -t tmpfs -o size=${megabytes}m,mode=755 small ${folder}`);
  }

  /** A user whom the same key lets in. */
  async addUser(name: string, password?: string): Promise<void> {
    await this.sh(`useradd --create-home --shell /bin/sh ${name}
      mkdir -p /home/${name}/.ssh && cp /root/.ssh/authorized_keys /home/${name}/.ssh/ && chown -R ${name}: /home/${name}/.ssh
      ${password === undefined ? `usermod -p '*' ${name}` : `echo '${name}:${password}' | chpasswd`}`);
  }

  /** Makes the host look as if systemd ran it: a stand-in reads the units and starts them. */
  fakeSystemd(): void {
    execFileSync('mkdir', ['-p', this.path('/run/systemd/system')]);
    this.fakeProgram('systemctl', readFileSync(here('systemctl.sh'), 'utf8'));
  }

  /** Takes the host away, and everything that runs on it. */
  async end(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const exit = once(this.#holder, 'exit');
    try {
      process.kill(this.#initPid, 'SIGKILL');
    } catch (error) {
      // With its control group, what ran in it may be gone already.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
    await exit;
    await this.#plan.cgroup?.remove();
  }

  #inSwitch(...command: string[]): void {
    execFileSync('nsenter', ['-t', String(this.#plan.link.switchPid), '--net', ...command]);
  }

  #plugIn(): void {
    const { port } = this.#plan.link;
    this.#inSwitch('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(this.#initPid));
    this.#inSwitch('ip', 'link', 'set', port, 'master', 'bridge', 'up');
    const inside = ['-t', String(this.#initPid), '--net', 'ip'];
    execFileSync('nsenter', [...inside, 'address', 'add', `${this.address}/24`, 'dev', 'eth0']);
    execFileSync('nsenter', [...inside, 'link', 'set', 'eth0', 'up']);
  }

  async #setUpSshd(): Promise<void> {
    await this.sh('mkdir -p -m 700 /root/.ssh');
    writeFileSync(this.path('/etc/ssh/test_key'), readFileSync(this.#plan.hostKeyFile), { mode: 0o600 });
    writeFileSync(this.path('/root/.ssh/authorized_keys'), readFileSync(`${this.#plan.keyFile}.pub`));
    writeFileSync(this.path('/etc/ssh/test_config'), SSHD_CONFIG);
  }
}

const SSHD_CONFIG = `HostKey /etc/ssh/test_key
PermitRootLogin yes
PasswordAuthentication yes
UsePAM no
UseDNS no
PidFile /run/sshd.pid
MaxStartups 200
PrintMotd no
PrintLastLog no
AllowTcpForwarding yes
Subsystem sftp internal-sftp
`;

/** What crontab(1) writes above the user's own lines tells when it did so. */
function crontabOf(file: string): string {
  return readFileSync(file, 'latin1').replace(/^# (DO NOT EDIT|\().*\n/gm, '');
}

function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

/** Waits for what no event tells; the test's own time limit bounds it. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(20);
}
