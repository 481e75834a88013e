import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { checkoutWithoutKoffi } from '../support/checkout.ts';
import { Command, cleanEnvironment, MAIN } from '../support/command.ts';
import { sleeper } from '../support/sleeper.ts';
import { writeToken } from '../support/token-file.ts';
import { hostsJson, psJson } from './contract.ts';
import { assertAddsUp, burner } from './machine.ts';
import { HOST, openMesh } from './mesh.ts';

interface Fallback {
  title: string;
  /** What the agent is started through. */
  through: readonly string[];
  main?: (t: TestContext) => string;
  /** Processes beside those there are. */
  crowd?: number;
  netSource: 'bpf' | 'sockets';
  /** In what the host says of itself. */
  says: readonly RegExp[];
  /** Of each rung that is out of reach, what the agent logs. */
  refusals: readonly RegExp[];
}

const BLIND_SPOT = /UDP and short outgoing connections are not attributed/;

const FALLBACKS: Fallback[] = [
  {
    title: 'without the powers of root',
    through: ['setpriv', '--bounding-set=-all', '--inh-caps=-all'],
    netSource: 'sockets',
    says: [BLIND_SPOT, /disk use of \d+ of \d+ processes is hidden/],
    refusals: [/no eBPF: .*EPERM.*run the agent as root/, /no taskstats: .*EPERM.*run the agent as root/],
  },
  {
    title: 'where koffi is not installed',
    through: [],
    main: checkoutWithoutKoffi,
    netSource: 'sockets',
    says: [BLIND_SPOT, /bytes are shown a sample late/],
    refusals: [/no eBPF: koffi cannot be loaded/, /no taskstats: koffi cannot be loaded/],
  },
  {
    title: 'where the kernel refuses eBPF',
    through: ['setpriv', '--bounding-set=-sys_admin,-bpf,-perfmon', '--inh-caps=-sys_admin,-bpf,-perfmon'],
    netSource: 'sockets',
    says: [BLIND_SPOT],
    refusals: [/no eBPF: bpf\(BPF_\w+\): EPERM/, /no eBPF at the end of processes.*EPERM/],
  },
  {
    title: 'with fewer descriptors than there are processes',
    through: ['prlimit', '--nofile=100:100'],
    crowd: 100,
    netSource: 'bpf',
    says: [],
    refusals: [],
  },
];

describe('an agent attributes what adds up', { timeout: 120_000, concurrency: 2 }, () => {
  for (const { title, through, main, netSource, says, refusals, crowd = 0 } of FALLBACKS)
    it(title, async (t) => {
      await Promise.all(Array.from({ length: crowd }, () => sleeper(t)));
      const { pid } = await burner(t);
      const mesh = await openMesh(t, { PROCMESH_GLOBAL_SAMPLE_TIME: '0.5' });
      await mesh.server();
      const token = ['--token-file', writeToken(mesh.dataDir, HOST)];
      const [file = '', ...args] = [...through, process.execPath, main?.(t) ?? MAIN, 'agent', ...token];
      const agent = new Command(t, file, args, {
        env: cleanEnvironment(mesh.environment),
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const watching = mesh.watch('ps', '--limit', '10000');
      const line = await watching.stdout.line((text) =>
        psJson.parse(JSON.parse(text)).rows.some((row) => row.pid === pid && (row.cpuPercent ?? 0) > 10),
      );
      assertAddsUp(psJson.parse(JSON.parse(line)));
      const { stdout } = await mesh.run('hosts', '--json');
      const [host] = hostsJson.parse(JSON.parse(stdout)).rows;
      assert.equal(host?.netSource, netSource);
      for (const part of says) assert.match(host?.message ?? '', part);
      const refused = agent.stderr.text.split('\n').filter((text) => /no (eBPF|taskstats)/.test(text));
      assert.equal(refused.length, refusals.length, agent.stderr.text);
      for (const [index, refusal] of refusals.entries()) assert.match(refused[index] ?? '', refusal);
    });
});
