import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isRoot, missing } from './requirements.ts';
import { scratchFolder } from './scratch.ts';
import { HostCgroup } from './test-host/cgroup.ts';
import { TestHost } from './test-host/test-host.ts';

/**
 * A network of machines with nothing but sshd: each has its own processes, files, names and address, in namespaces, and
 * this machine is on the same network. All of it goes with the processes that hold it, at the latest when this one ends.
 * @throws Error that says what is missing: it wants root, iproute2, util-linux and openssh-server.
 */
export class TestNetwork {
  /** This machine's. */
  readonly address: string;
  /** Private key that every host lets in. */
  readonly keyFile: string;
  readonly #t: TestContext;
  readonly #folder: string;
  readonly #net: number;
  readonly #switchPid: number;
  #hosts = 0;

  private constructor(t: TestContext, folder: string, net: number, switchPid: number) {
    this.#t = t;
    this.#folder = folder;
    this.#net = net;
    this.#switchPid = switchPid;
    this.address = `198.19.${net}.1`;
    this.keyFile = join(folder, 'key');
  }

  static async open(t: TestContext): Promise<TestNetwork> {
    const wanted = missing(['iproute2', 'util-linux', 'openssh-server', 'cron']);
    if (wanted !== undefined) throw new Error(wanted);
    if (!isRoot()) throw new Error('test hosts want root: for namespaces and mounts of their own');
    const folder = scratchFolder(t);
    const [program, ...args] = [...UNTIL_WE_END, 'unshare', '--net', 'sleep', 'infinity'] as const;
    const held = spawn(program, args, { stdio: 'ignore' });
    await once(held, 'spawn');
    t.after(async () => {
      held.kill('SIGKILL');
      if (held.exitCode === null && held.signalCode === null) await once(held, 'exit');
    });
    const pid = held.pid as number;
    await inNamespaceOfItsOwn(pid);
    const net = joinSwitch(pid);
    generateKey(join(folder, 'key'));
    return new TestNetwork(t, folder, net, pid);
  }

  /** Another machine, with its sshd started; one that systemd runs wants that installed here. */
  async host({ init = 'shell' }: { init?: 'shell' | 'systemd' } = {}): Promise<TestHost> {
    const wanted = init === 'systemd' ? missing(['systemd']) : undefined;
    if (wanted !== undefined) throw new Error(wanted);
    this.#hosts += 1;
    const number = this.#hosts + 1;
    const folder = join(this.#folder, `host${number}`);
    mkdirSync(folder);
    const hostKey = join(this.#folder, `host${number}-key`);
    generateKey(hostKey);
    const address = `198.19.${this.#net}.${number}`;
    const host = await TestHost.boot(this.#t, {
      name: `host${number}`,
      folder,
      address,
      prefix: [...UNTIL_WE_END],
      keyFile: this.keyFile,
      hostKeyFile: hostKey,
      link: { switchPid: this.#switchPid, port: `port${number}` },
      cgroup: init === 'systemd' ? await HostCgroup.make(this.#t, folder) : undefined,
    });
    return host;
  }

  /** An address of this network that nobody has. */
  get nobody(): string {
    return `198.19.${this.#net}.250`;
  }
}

/** The kernel kills it as soon as this process is gone, however it goes. */
const UNTIL_WE_END = ['setpriv', '--pdeathsig', 'KILL'] as const;

/** Makes the switch's bridge and this machine's cable to it. @returns the number of a network that is free. */
function joinSwitch(switchPid: number): number {
  for (let attempt = 0; attempt < 254; attempt += 1) {
    // 198.18/15 is for measuring networks (RFC 2544); its lower half is the coverage run's.
    const net = (process.pid + attempt) % 254;
    const cable = `pmh${net}`;
    try {
      execFileSync('ip', ['link', 'add', cable, 'type', 'veth', 'peer', 'name', 'uplink', 'netns', String(switchPid)], {
        stdio: 'ignore',
      });
    } catch (error) {
      if (attempt === 253) throw error;
      continue;
    }
    const inside = ['-t', String(switchPid), '--net', 'ip'];
    execFileSync('nsenter', [...inside, 'link', 'add', 'bridge', 'type', 'bridge']);
    execFileSync('nsenter', [...inside, 'link', 'set', 'uplink', 'master', 'bridge', 'up']);
    execFileSync('nsenter', [...inside, 'link', 'set', 'bridge', 'up']);
    execFileSync('ip', ['address', 'add', `198.19.${net}.1/24`, 'dev', cable]);
    execFileSync('ip', ['link', 'set', cable, 'up']);
    return net;
  }
  throw new Error('no network is free');
}

function generateKey(file: string): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file]);
}

/** Waits until `unshare` has done its work; the switch is nobody's before. */
async function inNamespaceOfItsOwn(pid: number): Promise<void> {
  while (readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync('/proc/self/ns/net')) await delay(5);
}
