import { execFileSync, type StdioOptions, spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';

/** One of two network namespaces that cables join. */
export interface NetNamespace {
  name: string;
  /** Of its ends of the cables, each of which is a network of its own. */
  addresses4: readonly string[];
  /** Of its end of the first cable. */
  address4: string;
  address6: string;
  /** A program and its arguments, to be run in it; it keeps the pid it is started with. */
  inside(program: string, ...args: readonly string[]): [program: string, args: string[]];
}

let made = 0;

/**
 * Two network namespaces of this test's own and veth pairs between them, gone when the test ends. Nothing outside can
 * reach them, so their addresses are the same every time. Needs root and `ip`. @throws Error that says what is missing.
 */
export function joinedNamespaces(t: Pick<TestContext, 'after'>, cables = 1): [NetNamespace, NetNamespace] {
  if (spawnSync('ip', ['-V']).error !== undefined) throw new Error('this test needs ip(8): apt-get install iproute2');
  made += 1;
  const names = [`pmt-${process.pid}-${made}a`, `pmt-${process.pid}-${made}b`] as const;
  t.after(() => {
    for (const name of names) ip(['netns', 'del', name], 'ignore');
  });
  for (const name of names) ip(['netns', 'add', name]);
  for (let cable = 0; cable < cables; cable += 1) {
    const device = deviceOf(cable);
    ip(['-n', names[0], 'link', 'add', device, 'type', 'veth', 'peer', 'name', device, 'netns', names[1]]);
  }
  return [end(names[0], 1, cables), end(names[1], 2, cables)];
}

/** Pulls out one end of a cable, or plugs it in again. */
export function setCable({ name }: NetNamespace, state: 'up' | 'down', cable = 0): void {
  ip(['-n', name, 'link', 'set', deviceOf(cable), state]);
}

/**
 * Loses one of so many packets that come to a namespace by its cables, and of nothing else; 0 ends it. Not by chance:
 * sooner or later that loses one packet so often that TCP waits for longer than an agent may be silent. Every third would
 * do so, too: with two acknowledgements between each two times that TCP sends it again, it is lost each time.
 */
export function losePackets({ name }: NetNamespace, oneOf: number): void {
  const rule = `add rule inet lossy input iifname "cable*" numgen inc mod ${oneOf} == 0 drop`;
  const rules = `add table inet lossy
    delete table inet lossy
    add table inet lossy
    add chain inet lossy input { type filter hook input priority 0; }
    ${oneOf > 0 ? rule : ''}`;
  execFileSync('ip', ['netns', 'exec', name, 'nft', '-f', '-'], { input: rules, stdio: ['pipe', 'ignore', 'inherit'] });
}

function deviceOf(cable: number): string {
  return `cable${cable}`;
}

/** Networks that are for tests alone: RFC 2544, RFC 3849. */
function end(name: string, host: number, cables: number): NetNamespace {
  const addresses4 = Array.from({ length: cables }, (_, cable) => `198.18.${cable}.${host}`);
  const [address4 = ''] = addresses4;
  const address6 = `2001:db8::${host}`;
  for (const [cable, address] of addresses4.entries())
    ip(['-n', name, 'address', 'add', `${address}/24`, 'dev', deviceOf(cable)]);
  // Without looking for duplicates the address can be used at once.
  ip(['-n', name, 'address', 'add', `${address6}/64`, 'dev', deviceOf(0), 'nodad']);
  for (let cable = 0; cable < cables; cable += 1) ip(['-n', name, 'link', 'set', deviceOf(cable), 'up']);
  ip(['-n', name, 'link', 'set', 'lo', 'up']);
  return {
    name,
    addresses4,
    address4,
    address6,
    inside: (program, ...args) => ['ip', ['netns', 'exec', name, program, ...args]],
  };
}

function ip(args: readonly string[], stdio: StdioOptions = ['ignore', 'ignore', 'inherit']): void {
  try {
    execFileSync('ip', args, { stdio });
  } catch (error) {
    if (stdio !== 'ignore') throw error;
  }
}
