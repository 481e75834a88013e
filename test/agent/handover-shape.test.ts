import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { deserialize } from 'node:v8';
import { Exits } from '../../src/agent/attribution/exits.ts';
import { HANDOVER_FORMAT, type Handover, HandoverFile } from '../../src/agent/handover.ts';
import { Sampler } from '../../src/agent/sampler.ts';
import { Scanner } from '../../src/agent/snapshot.ts';
import { FakeProc, ioLines, NET_DEV_HEADER } from '../support/fake-proc.ts';
import { seededRandom } from '../support/random.ts';
import { scratchFolder } from '../support/scratch.ts';
import { ProcessTree } from './attribution/process-tree.ts';
import { FakeTaskExits } from './attribution/task-exits.ts';

const FIXTURE = fileURLToPath(new URL(`handover-shape-${HANDOVER_FORMAT}.json`, import.meta.url));

/**
 * Paths of all that a value holds and what is there: `a.b: number`, `list[].c: string`; `map{}` and `set<>` stand for what
 * is in a map or a set.
 */
function shapeOf(value: unknown, path = ''): Set<string> {
  const contents = (values: Iterable<unknown>, suffix: string): Set<string> =>
    [...values].reduce<Set<string>>((all, one) => all.union(shapeOf(one, path + suffix)), new Set([path + suffix]));
  if (value instanceof Map) return contents(value.values(), '{}').union(contents(value.keys(), '{key}'));
  if (value instanceof Set) return contents(value, '<>');
  if (Array.isArray(value)) return contents(value, '[]');
  if (typeof value !== 'object' || value === null) return new Set([`${path}: ${typeof value}`]);
  return Object.entries(value).reduce<Set<string>>(
    (all, [key, one]) => all.union(shapeOf(one, path === '' ? key : `${path}.${key}`)),
    new Set(),
  );
}

/** Of a machine of files that has one of everything. */
function machine(dir: string): { proc: FakeProc; scanner: Scanner } {
  const proc = new FakeProc(dir);
  proc.cpu({ forks: 1_000 });
  proc.process({ pid: 7 }, { io: ioLines(1, 2) });
  proc.process({ pid: 8 });
  proc.write('diskstats', ' 254       0 vda 10 0 80 4 20 0 160 8 0 12 12 0 0 0 0 0 0\n');
  mkdirSync(join(proc.sysRoot, 'block/vda/device'), { recursive: true });
  proc.write('net/dev', `${NET_DEV_HEADER}    lo: 1 1 0 0 0 0 0 0 1 1 0\n  eth0: 1 1 0 0 0 0 0 0 1 1 0\n`);
  return { proc, scanner: new Scanner({ procRoot: proc.procRoot, sysRoot: proc.sysRoot, keptDescriptors: 0 }) };
}

/** Handovers of a machine on which everything happens, one after each sample. */
function* handovers(t: TestContext): Iterable<unknown> {
  const dir = scratchFolder(t);
  const { proc, scanner } = machine(dir);
  const { host } = scanner.take();
  const file = new HandoverFile(join(dir, 'handover'), proc.procRoot);
  const write = (baseline: Handover['baseline'] | undefined): unknown => {
    assert.ok(baseline !== undefined);
    const recorder = { seam: { endMs: 1, sampledAtMs: 1 }, ends: { boundaryMs: 1, setBacks: 0, endMs: 1 } };
    file.write({ server: 'wss://10.0.0.1:9300', baseline, recorder });
    return deserialize(readFileSync(join(dir, 'handover')));
  };
  for (const lost of [0, 0.3]) {
    const source = new FakeTaskExits();
    const tree = new ProcessTree(seededRandom(1), { exits: source, lost, ignoring: 0.2, tailTicks: 5, isFine: true });
    const take = () => {
      const snapshot = tree.scan(3);
      const { uptimeTicks, monotonicMs } = snapshot.host;
      return { ...snapshot, host: { ...host, uptimeTicks, monotonicMs } };
    };
    const busy = { take, resume: () => undefined } as unknown as Scanner;
    const sampler = new Sampler(busy, { exits: new Exits(source) });
    for (let sample = 0; sample < 60; sample += 1) {
      for (let steps = 0; steps < 60; steps += 1) tree.step();
      sampler.sample();
      yield write(sampler.baseline);
    }
  }
  const sampler = new Sampler(scanner);
  sampler.sample();
  yield write(sampler.baseline);
}

test('a handover has the shape that is recorded for its format', (t) => {
  let shape = new Set<string>();
  for (const handover of handovers(t)) shape = shape.union(shapeOf(handover));
  const paths = [...shape].sort();
  const mend = `the shape of a handover has changed: raise HANDOVER_FORMAT in src/agent/handover.ts, and record it in`;
  assert.ok(existsSync(FIXTURE), `${mend} ${FIXTURE}:\n${JSON.stringify(paths, undefined, 2)}`);
  const recorded = JSON.parse(readFileSync(FIXTURE, 'utf8')) as string[];
  const changed = [...shape.symmetricDifference(new Set(recorded))];
  assert.deepEqual(changed, [], `${mend} a new handover-shape-N.json`);
});
