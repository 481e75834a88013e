import { execFileSync, type StdioOptions, spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';

/** One of two network namespaces that a cable joins. */
export interface NetNamespace {
  name: string;
  /** Of its end of the cable. */
  address4: string;
  address6: string;
  /** A program and its arguments, to be run in it; it keeps the pid it is started with. */
  inside(program: string, ...args: readonly string[]): [program: string, args: string[]];
}

let made = 0;

/**
 * Two network namespaces of this test's own and a veth pair between them, gone when the test ends. Nothing outside can
 * reach them, so their addresses are the same every time. Needs root and `ip`. @throws Error that says what is missing.
 */
export function joinedNamespaces(t: Pick<TestContext, 'after'>): [NetNamespace, NetNamespace] {
  if (spawnSync('ip', ['-V']).error !== undefined) throw new Error('this test needs ip(8): apt-get install iproute2');
  made += 1;
  const names = [`pmt-${process.pid}-${made}a`, `pmt-${process.pid}-${made}b`] as const;
  t.after(() => {
    for (const name of names) ip(['netns', 'del', name], 'ignore');
  });
  for (const name of names) ip(['netns', 'add', name]);
  ip(['-n', names[0], 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', names[1]]);
  return [end(names[0], 1), end(names[1], 2)];
}

/** Networks that are for tests alone: RFC 2544, RFC 3849. */
function end(name: string, host: number): NetNamespace {
  const address4 = `198.18.0.${host}`;
  const address6 = `2001:db8::${host}`;
  ip(['-n', name, 'address', 'add', `${address4}/24`, 'dev', 'cable']);
  // Without looking for duplicates the address can be used at once.
  ip(['-n', name, 'address', 'add', `${address6}/64`, 'dev', 'cable', 'nodad']);
  ip(['-n', name, 'link', 'set', 'cable', 'up']);
  ip(['-n', name, 'link', 'set', 'lo', 'up']);
  return {
    name,
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
