import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { type EventEmitter, once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Interval, intervalSchema } from '../../src/protocol/interval.ts';
import { findProgram } from '../support/requirements.ts';
import { scratchFolder } from '../support/scratch.ts';
import { SETTINGS } from './fake-server.ts';

const GUARD = { timeout: 120_000 };
const AGENT = fileURLToPath(new URL('./handover-child.ts', import.meta.url));
/** By its name a workload's process is known. */
const PERL = 'pmhand-perl';
const SHELL = 'pmhand-sh';

/** Works for some CPU seconds, says how many it and its children really used (getrusage), and waits. */
const WORKLOADS = {
  'one process': '1 while ++$i % 100_000 || (times)[0] < 3;',
  'a storm of short processes': `system('${SHELL}', '-c', 'i=0; while [ $i -lt 999 ]; do i=$((i+1)); done') while (times)[2] < 3;`,
};

/** What an agent says. */
class Agent {
  readonly process: ChildProcess;
  /** CPU seconds that it has charged to the workload. */
  chargedSeconds = 0;
  readonly #lines: EventEmitter<{ line: [string] }>;

  constructor(child: ChildProcess) {
    this.process = child;
    assert.ok(child.stdout !== null);
    this.#lines = createInterface({ input: child.stdout });
    this.#lines.on('line', (line) => {
      if (line.startsWith('used ')) this.chargedSeconds += Number(line.slice(5)) / 100;
    });
  }

  async started(): Promise<void> {
    for (;;) {
      const [line] = await once(this.#lines, 'line');
      if (line === 'started') return;
      assert.match(line, /^used /);
    }
  }
}

/** What is in the outbox of an agent that no server takes anything from. */
function outbox(dataDir: string): Interval[] {
  const dir = join(dataDir, 'outbox');
  const names = readdirSync(dir).filter((name) => name.endsWith('.json'));
  return names
    .map((name) => intervalSchema.parse(JSON.parse(readFileSync(join(dir, name), 'utf8'))))
    .sort((a, b) => a.endMs - b.endMs);
}

/** Resolves when so many more intervals have ended. */
async function ended(dataDir: string, count: number): Promise<void> {
  const wanted = outbox(dataDir).length + count;
  const changes = watch(join(dataDir, 'outbox'));
  while (outbox(dataDir).length < wanted) await once(changes, 'change');
  changes.close();
}

function run(t: TestContext, program: string, args: readonly string[], path: string): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: path } });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

for (const [title, work] of Object.entries(WORKLOADS))
  test(`an agent that execs itself twice under load misses nothing of ${title}`, GUARD, async (t) => {
    const dir = scratchFolder(t);
    const rules = { ...SETTINGS.rules, memBytes: 1e15, ioBytesPerSec: 1e15, netBytesPerSec: 1e15, top: 20 };
    mkdirSync(join(dir, 'bin'));
    for (const [name, program] of [
      [PERL, 'perl'],
      [SHELL, 'sh'],
    ] as const)
      symlinkSync(findProgram(program) ?? '', join(dir, 'bin', name));
    writeFileSync(join(dir, 'settings.json'), JSON.stringify({ ...SETTINGS, intervalMs: 3_000, rules }));
    const agent = new Agent(run(t, process.execPath, [AGENT, dir, 'pmhand-'], process.env.PATH ?? ''));
    await agent.started();
    await ended(dir, 1);
    const script = `$| = 1; ${work} print join(' ', times), "\\n"; sleep 1000;`;
    const workload = run(t, join(dir, 'bin', PERL), ['-e', script], join(dir, 'bin'));
    assert.ok(workload.stdout !== null);
    const used = once(createInterface({ input: workload.stdout }), 'line');
    for (let handovers = 0; handovers < 2; handovers += 1) {
      await ended(dir, 1);
      agent.process.kill('SIGUSR2');
      await agent.started();
    }
    const usedSeconds = String(await used)
      .split(' ')
      .reduce((sum, part) => sum + Number(part), 0);
    await ended(dir, 2);
    agent.process.kill('SIGTERM');
    await once(agent.process, 'close');
    const intervals = outbox(dir);
    for (const [index, { startMs, endMs }] of intervals.entries()) {
      assert.equal(endMs % 1_000, 0);
      assert.equal(startMs, index === 0 ? startMs : intervals[index - 1]?.endMs, 'intervals meet');
    }
    const { chargedSeconds } = agent;
    assert.ok(Math.abs(chargedSeconds / usedSeconds - 1) < 0.01, `${chargedSeconds} s of ${usedSeconds} s`);
  });
