import assert from 'node:assert/strict';
import type { SpawnOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import type { HistoryAnswer } from '../../src/store/store.ts';
import { cells } from '../../tui/text.ts';
import { aProcess, interval, T0, usage } from '../store/sample.ts';
import { assertFailed, Command, cleanEnvironment, MAIN } from '../support/command.ts';
import { NASTY, opened } from './opened.ts';

const BOLD = '\x1b[1m';
const FROM = T0 - 600_000;

/** Ten minutes of one host: two instances, and what nobody accounts for. */
const ANSWER: HistoryAnswer = {
  atMs: T0,
  rows: [
    { host: 'web-1', ...aProcess({ pid: 11, cpuPercent: 180, cpuPercentMax: 390 }) },
    { host: 'web-1', ...aProcess({ pid: 12, cpuPercent: 20, cpuPercentMax: 20 }) },
    {
      host: 'web-1',
      ...aProcess({
        pid: 13,
        instance: NASTY,
        comm: NASTY,
        cmdline: NASTY.repeat(9),
        cpuPercent: 50,
        cpuPercentMax: 60,
      }),
    },
  ],
  hosts: [
    {
      total: {
        host: 'web-1',
        at: new Date(T0).toISOString(),
        ...usage({ cpuPercent: 300, netInBytesPerSec: 0, unattributed: { cpuPercent: 10.5 } }),
      },
      max: { ...interval(0).hostMax, netInBytesPerSec: 0 },
      ...{ fromMs: FROM, toMs: T0, coveredMs: 600_000, intervals: 20 },
    },
  ],
  incomplete: [],
};

async function remembered(t: TestContext) {
  const { server, target, run } = await opened(t);
  server.store.answer = ANSWER;
  const peak = T0 - 90_000;
  server.store.peakTimes = Object.fromEntries(Object.keys(interval(0).hostMax).map((name) => [name, peak])) as never;
  const blame = (...args: string[]) => run('blame', '--host', 'web-1', ...args);
  return { server, target, run, blame };
}

/** Runs a command line in a terminal of so many columns. */
function inTerminal(t: TestContext, target: string[], columns: number, env: NodeJS.ProcessEnv) {
  const line = `stty cols ${columns}; exec '${process.execPath}' '${MAIN}' blame --host web-1 '${target.join("' '")}'`;
  const options: SpawnOptions = {
    env: cleanEnvironment({ TERM: 'xterm-256color', TZ: 'UTC', ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  };
  return new Command(t, '/usr/bin/script', ['-qec', line, '/dev/null'], options).finished;
}

describe('procmesh blame', { concurrency: 2, timeout: 60_000 }, () => {
  it('asks the store about ten minutes up to a time, or up to now', async (t) => {
    const { server, blame } = await remembered(t);
    await blame('--at', '2026-07-01T03:12:00Z');
    assert.deepEqual(server.store.questions, [{ host: 'web-1', atMs: T0, windowMs: 600_000 }]);
    const before = Date.now();
    await blame('--window', '2m');
    const { atMs = 0, ...question } = server.store.questions[1] ?? {};
    assert.deepEqual(question, { host: 'web-1', windowMs: 120_000 });
    assert.ok(atMs >= before && atMs <= Date.now());
  });

  it('prints JSON of the contract: of each resource the host, its culprits and what is left', async (t) => {
    const { blame } = await remembered(t);
    const { code, stdout, stderr } = await blame('--json');
    assert.deepEqual([code, stderr], [0, '']);
    const { host, from, to, resources, ...more } = JSON.parse(stdout);
    assert.deepEqual([host, from, to], ['web-1', new Date(FROM).toISOString(), new Date(T0).toISOString()]);
    assert.deepEqual(more, { coveredMs: 600_000, cores: 8, memTotalBytes: 64e9 });
    assert.deepEqual(
      resources.map(({ resource }: { resource: string }) => resource),
      ['cpu', 'mem', 'read', 'write', 'net-in', 'net-out'],
    );
    const [{ culprits, ...cpu }] = resources;
    assert.deepEqual(cpu, {
      ...{ resource: 'cpu', hostAvg: 300, hostMax: 790, hostMaxAt: new Date(T0 - 90_000).toISOString() },
      ...{ unattributed: 10.5, others: 39.5 },
    });
    const { cmdline, sharePercent, ...first } = culprits[0];
    assert.deepEqual(first, {
      instance: 'mysqld:3307',
      comm: 'mysqld',
      pids: [11, 12],
      user: 'mysql',
      avg: 200,
      max: 410,
    });
    assert.match(cmdline, /^\/usr\/sbin\/mysqld /);
    assert.ok(Math.abs(sharePercent - 66.67) < 0.01);
  });

  it('prints each culprit with its share of the host, and the rest', async (t) => {
    const { blame } = await remembered(t);
    const { code, stdout, stderr } = await blame();
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^web-1 {2}2026-07-01 .* 8 cores, 60G$/m);
    assert.match(stdout, /^ █+▋·+ +66\.7% +200\.0 +410\.0 {2}mysqld:3307 +11 12 +\/usr\/sbin\/mysqld --defaults/m);
    assert.match(stdout, /^net-in: nothing$/m);
  });

  it('lets no escape sequence of a process through', async (t) => {
    const { blame } = await remembered(t);
    for (const args of [[], ['--json']]) {
      const { stdout } = await blame(...args);
      assert.doesNotMatch(stdout, /(?!\n)[\p{Cc}\p{Cf}]/u, args.join());
      assert.match(stdout, /gnp\.exe/);
    }
  });

  it('keeps to the width of a terminal, with colours unless NO_COLOR is set', {
    skip: !existsSync('/usr/bin/script'),
  }, async (t) => {
    const { target } = await remembered(t);
    for (const columns of [60, 80, 132]) {
      const { stdout } = await inTerminal(t, target, columns, { NO_COLOR: '1' });
      const widths = stdout.trimEnd().split('\r\n').map(cells);
      assert.equal(Math.max(...widths), columns);
      assert.equal(stdout.includes('\x1b'), false);
    }
    const { stdout } = await inTerminal(t, target, 80, {});
    assert.ok(stdout.includes(`${BOLD}web-1`));
  });

  it('fails in one line when the host is not known or nothing was recorded of it, and says how to mend it', async (t) => {
    const { server, run, blame } = await remembered(t);
    const reason = 'nothing was recorded then';
    for (const host of ['nosuch', 'web-1']) {
      server.store.answer = { atMs: T0, rows: [], hosts: [], incomplete: [{ host, reason }] };
      const failed = host === 'nosuch' ? await run('blame', '--host', host) : await blame();
      assertFailed(
        failed,
        1,
        new RegExp(`no history of ${host} at that time \\(${reason}\\).*another time.*procmesh hosts`),
      );
    }
  });
});
