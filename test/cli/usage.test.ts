import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { run as agent } from '../../src/cli/agent.ts';
import { run as blame } from '../../src/cli/blame.ts';
import { reportFailure } from '../../src/cli/failure.ts';
import { run as hosts } from '../../src/cli/hosts.ts';
import { run as ps } from '../../src/cli/ps.ts';
import { run as release } from '../../src/cli/release.ts';
import { assertFailed, launch, procmesh } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';

const COMMANDS = ['start', 'server', 'agent', 'top', 'ps', 'blame', 'hosts', 'release', 'doctor'];

describe('every command', { concurrency: 2, timeout: 120_000 }, () => {
  for (const command of ['', ...COMMANDS]) {
    it(`procmesh ${command} tells how it is used, its version, and which option it does not know`, async (t) => {
      const args = command === '' ? [] : [command];
      const { code, stdout, stderr } = await procmesh(t, [...args, '--help']);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, new RegExp(`^Usage: procmesh ${command}`));
      if (command === '') for (const name of COMMANDS) assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
      else assert.match(stdout, /--config <file>/);
      const version = await procmesh(t, [...args, '--version']);
      assert.deepEqual(version, { code: 0, signal: null, stdout: '0.1.0\n', stderr: '' });
      assertFailed(await procmesh(t, [...args, '--bogus']), 2, /unknown option '--bogus'/);
    });
  }

  it('tells how it is used when it is told nothing', async (t) => {
    const { code, stdout } = await procmesh(t, []);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: procmesh /);
  });

  it('tells by help what it tells by --help', async (t) => {
    for (const command of ['', 'ps']) {
      const args = command === '' ? [] : [command];
      const { stdout, ...help } = await procmesh(t, ['help', ...args]);
      assert.deepEqual(help, { code: 0, signal: null, stderr: '' });
      assert.equal(stdout, (await procmesh(t, [...args, '--help'])).stdout);
    }
  });

  it('ends without a word when nobody reads its help', async (t) => {
    const help = launch(t, ['ps', '--help'], {});
    help.process.stdout?.destroy();
    const { code, stderr } = await help.finished;
    assert.deepEqual([code, stderr], [0, '']);
  });

  for (const [args, message] of [
    [['bogus'], /unknown command 'bogus'/],
    [['pss'], /unknown command 'pss' \(Did you mean ps\?\)/],
    [['help', 'pss'], /unknown command 'pss' \(Did you mean ps\?\)/],
    [['--bogus', 'ps'], /unknown option '--bogus'/],
    [['ps', '--limit', '0'], /--limit.*whole number from 1 to 10000/],
    [['top'], /wants a terminal/],
    [['top', '--at', 'rubbish'], /--at.*03:12/],
  ] as const) {
    it(`procmesh ${args.join(' ')} fails in one line, with exit code 2`, async (t) => {
      assertFailed(await procmesh(t, args, { PROCMESH_GLOBAL_DATA_DIR: scratchFolder(t) }), 2, message);
    });
  }
});

const PIN = 'ab'.repeat(32);

describe('wrong usage is told in one line and with exit code 2:', () => {
  for (const [args, message] of [
    [['ps', 'extra'], /too many arguments/],
    [['ps', '--limit', '10001'], /--limit.*whole number from 1 to 10000/],
    [['ps', '--limit', '-3'], /--limit.*whole number/],
    [['ps', '--limit', '1e3'], /--limit.*whole number/],
    [['ps', '--limit', ''], /--limit.*whole number/],
    [['ps', '--limit'], /--limit.*missing/],
    [['ps', '--sort', 'colour'], /--sort.*cpu, mem, read, write, net-in, net-out/],
    [['ps', '--group', 'colour'], /--group.*instance, user, comm, host/],
    [['ps', '--at', 'rubbish'], /--at.*03:12/],
    [['ps', '--at', '2099-01-01T00:00:00Z'], /--at.*future/],
    [['ps', '--window', '10m'], /--window wants --at/],
    [['ps', '--at', '-5m', '--window', 'long'], /--window.*10m/],
    [['ps', '--details', '--at', '-5m'], /--details wants live/],
    [['ps', '--details', '--group', 'user'], /--details wants live/],
    [['ps', '--watch', '--at', '-5m'], /--watch and --at exclude each other/],
    [['blame', '--at', '-5m'], /blame wants --host.*procmesh hosts/],
    [['blame', '--host', 'a', '--at'], /--at.*missing/],
    [['blame', '--host', 'a', '--at', '2099-01-01T00:00:00Z'], /--at.*future/],
    [['blame', '--host', 'a', '--window', '-5m'], /--window.*10m/],
    [['ps', '--server', 'nonsense'], /--server.*wss:\/\/10\.0\.0\.5:9300/],
    [['hosts', '--server', 'http://127.0.0.1:9300'], /--server.*wss:\/\//],
    [['hosts', '--watch=yes'], /--watch/],
    [['release', 'stop'], /release stop is no command: write release pause, resume, rollback, or none/],
    [['release', ''], /is no command/],
    [['release', '--watch', 'pause'], /too many arguments/],
    [['release', 'pause', 'resume'], /too many arguments/],
    [['release', 'rollback', '--json'], /unknown option '--json'/],
    [['release', '--limit', '0'], /--limit.*whole number from 1 to 10000/],
    [['release', '--host'], /--host.*missing/],
    [['release', 'resume', '--server', 'nonsense'], /--server.*wss:/],
    [['agent', '--net', 'iftop'], /--net.*auto, bpf, sockets/],
    [['agent', '--server', 'ws://127.0.0.1:1,nonsense'], /--server.*wss:\/\//],
    [['agent', '--pin', 'abc'], /--pin.*SHA-256, 64 hexadecimal digits/],
    [['ps', '--pin', 'auto'], /--pin.*SHA-256, 64 hexadecimal digits/],
    [['ps', '--pin', PIN, '--server', 'ws://127.0.0.1:1'], /--pin wants a server that encrypts: wss:.*ws:\/\/127/],
    [['agent', '--pin', PIN, '--server', 'wss://a,ws://b'], /--pin wants a server that encrypts: wss:.*ws:\/\/b/],
  ] as const) {
    it(`procmesh ${args.join(' ')}`, async (t) => {
      const [command, ...options] = args;
      const run = { ps, blame, hosts, release, agent }[command];
      const error = await run(options).then(
        () => assert.fail('it is taken'),
        (reason: unknown) => reason,
      );
      const said = t.mock.method(process.stderr, 'write', () => true);
      reportFailure(error);
      const { exitCode } = process;
      process.exitCode = undefined;
      said.mock.restore();
      const stderr = said.mock.calls.map((call) => String(call.arguments[0])).join('');
      assertFailed({ code: Number(exitCode), signal: null, stdout: '', stderr }, 2, message);
    });
  }
});

describe('the configuration', { concurrency: 2, timeout: 120_000 }, () => {
  // Two want a terminal or a host first, the third goes on to tell what else it finds.
  for (const command of COMMANDS.filter((name) => !['top', 'blame', 'doctor'].includes(name))) {
    it(`is checked by procmesh ${command} before anything else, and a wrong value named with all one needs`, async (t) => {
      const folder = scratchFolder(t);
      const config = join(folder, 'wrong.ini');
      writeFileSync(config, '[global]\ninterval_time = soon\n');
      const failed = await procmesh(t, [command, '--config', config], {
        PROCMESH_GLOBAL_DATA_DIR: join(folder, 'data'),
      });
      assertFailed(
        failed,
        2,
        /\[global\] interval_time = "soon" in .*wrong\.ini is not allowed: it takes a whole number from 1 to 3600/,
      );
    });
  }

  it('names the variable of the environment that holds a wrong value', async (t) => {
    const failed = await procmesh(t, ['ps'], { PROCMESH_RULE_TOP: 'many' });
    assertFailed(
      failed,
      2,
      /\[RULE\] top = "many" in the environment \(PROCMESH_RULE_TOP\) is not allowed: it takes a number/,
    );
  });

  it('that is not there, or cannot be read, is named with a way out', async (t) => {
    const folder = scratchFolder(t);
    mkdirSync(join(folder, 'folder.ini'));
    for (const [name, code] of [
      ['none.ini', 'ENOENT'],
      ['folder.ini', 'EISDIR'],
    ] as const)
      assertFailed(
        await procmesh(t, ['ps', '--config', join(folder, name)]),
        2,
        new RegExp(`${name} cannot be read \\(${code}\\).*--config FILE`),
      );
  });

  it('with a key that means nothing gets a warning', async (t) => {
    const folder = scratchFolder(t);
    const config = join(folder, 'odd.ini');
    writeFileSync(config, '[global]\ncolour = blue\n[CUSTOM]\nkey = 1\n');
    const { stderr } = await procmesh(t, ['ps', '--config', config], {
      PROCMESH_GLOBAL_DATA_DIR: folder,
      PROCMESH_RULE_COLOUR: '1',
    });
    const [one, two, three] = stderr.split('\n');
    assert.match(one ?? '', /^procmesh: warning: \[global\] colour in .*odd\.ini is not a known setting/);
    assert.match(two ?? '', /^procmesh: warning: \[CUSTOM\] in .*odd\.ini is not a known section/);
    assert.match(three ?? '', /^procmesh: warning: PROCMESH_RULE_COLOUR/);
  });
});
