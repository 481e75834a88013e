import assert from 'node:assert/strict';
import type { SpawnOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { cells } from '../../tui/text.ts';
import { assertFailed, Command, cleanEnvironment, freePort, launch, MAIN } from '../support/command.ts';
import { aRow } from '../support/fake-agent.ts';
import { opened } from './opened.ts';

describe('procmesh ps', { concurrency: 2, timeout: 60_000 }, () => {
  it('prints a table with the largest first and what no process accounts for', async (t) => {
    const { run } = await opened(t);
    const { code, stdout, stderr } = await run('ps');
    assert.deepEqual([code, stderr], [0, '']);
    const [head, first, second, rest, ...more] = stdout.split('\n');
    assert.match(
      head ?? '',
      /^HOST +INSTANCE +PID +USER +CPU% +MEM +READ\/s +WRITE\/s +NET-IN\/s +NET-OUT\/s +COMMAND$/,
    );
    assert.match(
      first ?? '',
      /^web-1 +mysqld:3307 +11 +mysql +60\.0 .* \/usr\/sbin\/mysqld --defaults-file=\/etc\/my3307\.cnf$/,
    );
    assert.match(second ?? '', /^web-1 +cron +12 +root +9\.8 .*red.*title.*gnp\.exe$/);
    assert.match(rest ?? '', /^web-1 +unattributed +5\.3 /);
    assert.deepEqual(more, ['']);
  });

  it('lets no escape sequence through, neither a process’s nor one of its own', async (t) => {
    const { run } = await opened(t);
    for (const args of [['ps'], ['ps', '--json'], ['hosts'], ['hosts', '--json']]) {
      const { stdout } = await run(...args);
      assert.doesNotMatch(stdout, /(?!\n)[\p{Cc}\p{Cf}]/u, args.join(' '));
      if (args[1] === '--json') assert.match(stdout, args[0] === 'ps' ? /gnp\.exe/ : /web-1/);
    }
  });

  it('keeps to the width of a terminal, and to no colours', { skip: !existsSync('/usr/bin/script') }, async (t) => {
    const { agent, target } = await opened(t);
    agent.sample([aRow('web-1', 11, 60, { cmdline: '备份'.repeat(500) })]);
    await agent.wire.settled();
    const env = cleanEnvironment({ TERM: 'xterm-256color', NO_COLOR: '1' });
    const line = `stty cols 150; exec '${process.execPath}' '${MAIN}' ps '${target.join("' '")}'`;
    const options: SpawnOptions = { env, stdio: ['ignore', 'pipe', 'pipe'] };
    const { stdout } = await new Command(t, '/usr/bin/script', ['-qec', line, '/dev/null'], options).finished;
    const widths = stdout.trimEnd().split('\r\n').map(cells);
    assert.equal(widths.length, 3);
    assert.ok(Math.max(...widths) <= 150 && Math.max(...widths) >= 149, widths.join());
    assert.equal(stdout.includes('\x1b'), false);
  });

  it('prints JSON that holds what the table holds', async (t) => {
    const { agent, run } = await opened(t);
    const { code, stdout } = await run('ps', '--json');
    assert.equal(code, 0);
    const { at, view, rows, totals, ...more } = JSON.parse(stdout);
    assert.deepEqual([at, view, more], [new Date(agent.atMs).toISOString(), 'processes', {}]);
    assert.deepEqual(rows, agent.table);
    assert.deepEqual(totals, [{ host: 'web-1', at, ...agent.usage }]);
  });

  it('asks what its options say', async (t) => {
    const { agent, run } = await opened(t);
    await run(
      'ps',
      '--sort',
      'mem',
      '--limit',
      '7',
      '--host',
      'web-1',
      '--filter',
      'user:root',
      '--group',
      'user',
      '--json',
    );
    const [watch] = agent.asked;
    assert.ok(watch?.type === 'watch');
    assert.deepEqual(watch.query, {
      view: 'processes',
      sort: 'mem',
      limit: 7,
      host: 'web-1',
      filter: 'user:root',
      groupBy: 'user',
    });
  });

  it('asks the store about a time', async (t) => {
    const { server, run } = await opened(t);
    server.store.answer = {
      atMs: 1_000,
      rows: [],
      hosts: [],
      incomplete: [{ host: 'web-1', reason: 'nothing was recorded then' }],
    };
    const { code, stdout, stderr } = await run('ps', '--at', '2026-11-22T03:12:00Z', '--window', '10m');
    assert.deepEqual(server.store.questions, [{ atMs: Date.UTC(2026, 10, 22, 3, 12), windowMs: 600_000 }]);
    assert.equal(code, 0);
    assert.match(stdout, /^HOST .*COMMAND\n$/);
    assert.equal(stderr, 'procmesh: without web-1: nothing was recorded then\n');
  });

  it('fails when the one host it is asked about has no history then', async (t) => {
    const { server, run } = await opened(t);
    const reason = 'nothing was recorded then';
    server.store.answer = { atMs: 1_000, rows: [], hosts: [], incomplete: [{ host: 'nosuch', reason }] };
    for (const args of [[], ['--json']])
      assertFailed(
        await run('ps', '--host', 'nosuch', '--at', '-5m', ...args),
        1,
        /no history of nosuch at that time \(nothing was recorded then\).*another time.*procmesh hosts/,
      );
  });

  it('prints groups', async (t) => {
    const { run } = await opened(t);
    const { stdout } = await run('ps', '--group', 'instance');
    const lines = stdout.split('\n').map((line) => line.split(/ +/).slice(0, 4).join(' '));
    assert.deepEqual(lines, ['HOST INSTANCE PROCESSES CPU%', 'web-1 mysqld:3307 1 60.0', 'web-1 cron 1 9.8', '']);
  });

  it('--watch --json prints a line for each sample until it is told to stop, and ends well', async (t) => {
    const { agent, target } = await opened(t);
    const watching = launch(t, ['ps', '--watch', '--json', ...target], {});
    for (const pid of [21, 22, 23]) {
      const line = await watching.stdout.line((text) => text.includes(`"pid":${pid === 21 ? 11 : pid - 1}`));
      assert.equal(JSON.parse(line).view, 'processes');
      agent.sample([aRow('web-1', pid, 50)]);
    }
    await watching.stdout.line((text) => text.includes('"pid":23'));
    const { code, stdout, stderr } = await watching.kill('SIGTERM');
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(
      stdout
        .trimEnd()
        .split('\n')
        .every((line) => JSON.parse(line).rows.length > 0),
      true,
    );
  });

  it('--watch goes on when the server has gone and come back', async (t) => {
    const port = await freePort();
    const { server, target } = await opened(t, port);
    const watching = launch(t, ['ps', '--watch', '--json', ...target], {});
    await watching.stdout.line();
    await server.stop();
    const { agent } = await opened(t, port);
    agent.sample([aRow('web-1', 77, 1)]);
    await watching.stdout.line((line) => line.includes('"pid":77'));
    assert.equal((await watching.kill('SIGINT')).code, 0);
  });

  for (const args of [
    ['ps', '--limit', '10000'],
    ['ps', '--watch', '--json'],
  ]) {
    it(`procmesh ${args.join(' ')} | head -1 ends without a word`, async (t) => {
      const { agent, target } = await opened(t);
      const cmdline = 'x'.repeat(1_500);
      agent.sample(Array.from({ length: 1_000 }, (_, index) => aRow('web-1', index + 1, index, { cmdline })));
      await agent.wire.settled();
      const reading = launch(t, [...args, ...target], {});
      await reading.stdout.line(() => true).finally(() => reading.process.stdout?.destroy());
      const ended = reading.finished.then(() => true);
      // One that watches notices with the next sample.
      while (!(await Promise.race([ended, agent.wire.settled().then(() => false)]))) agent.sample();
      const { code, stderr } = await reading.finished;
      assert.deepEqual([code, stderr], [0, '']);
    });
  }
});
