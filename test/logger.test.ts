import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { symbols } from 'pino';
import { createLogger, type Logger } from '../src/logger.ts';
import { Problem } from '../src/problem.ts';
import { Command, cleanEnvironment } from './support/command.ts';
import { asNobody } from './support/nobody.ts';
import { scratchFolder } from './support/scratch.ts';

const KIB = 1024;

/** A logger and the file it writes to; what it was told is in the file after `settled`. */
class Log {
  readonly file: string;
  readonly logger: Logger;

  constructor(t: TestContext, file: string, maxBytes = 1024 * KIB) {
    this.file = file;
    this.logger = createLogger({ file, maxBytes });
    t.after(() => this.#stream.end());
  }

  get #stream(): NodeJS.WritableStream {
    return (this.logger as unknown as Record<symbol, NodeJS.WritableStream>)[
      symbols.streamSym
    ] as NodeJS.WritableStream;
  }

  settled(): Promise<void> {
    return new Promise((resolve) => this.#stream.write('', () => resolve()));
  }

  async end(): Promise<void> {
    this.#stream.end();
    await once(this.#stream, 'finish');
  }

  lines(file = this.file): Record<string, unknown>[] {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }
}

describe('logger', () => {
  it('writes a line of JSON with level, time and message', async (t) => {
    const log = new Log(t, join(scratchFolder(t), 'procmesh.log'));
    const before = Date.now();
    log.logger.info({ host: 'db-1' }, 'agent\nconnected');
    log.logger.warn('slow');
    await log.end();
    const times = log.lines().map(({ time }) => String(time));
    assert.deepEqual(log.lines(), [
      { level: 'info', time: times[0], host: 'db-1', msg: 'agent\nconnected' },
      { level: 'warn', time: times[1], msg: 'slow' },
    ]);
    for (const time of times) {
      assert.equal(new Date(time).toISOString(), time);
      assert.ok(Date.parse(time) >= before && Date.parse(time) <= Date.now());
    }
  });

  it('appends to what is there', async (t) => {
    const file = join(scratchFolder(t), 'procmesh.log');
    for (const message of ['first', 'second']) {
      const log = new Log(t, file);
      log.logger.info(message);
      await log.end();
      assert.equal(log.lines().at(-1)?.msg, message);
    }
    assert.equal(readFileSync(file, 'utf8').trim().split('\n').length, 2);
  });

  it('writes a problem by its code, without a stack', async (t) => {
    const log = new Log(t, join(scratchFolder(t), 'procmesh.log'));
    const problem = new Problem('ERR_X', 'the disk is full: make room', { cause: new Error('ENOSPC') });
    log.logger.error({ err: problem }, problem.message);
    log.logger.error(problem);
    await log.end();
    for (const { err, msg } of log.lines())
      assert.deepEqual([err, msg], [{ code: 'ERR_X' }, 'the disk is full: make room']);
    assert.equal(log.lines().length, 2);
  });

  it('writes any other error with its stack', async (t) => {
    const log = new Log(t, join(scratchFolder(t), 'procmesh.log'));
    log.logger.error({ err: new TypeError('no such thing') }, 'a bug');
    await log.end();
    const [{ err }] = log.lines() as [{ err: Record<string, string> }];
    assert.deepEqual([err.type, err.message], ['TypeError', 'no such thing']);
    assert.match(err.stack ?? '', /logger\.test\.ts/);
  });

  it('rotates at its size, time and again, and keeps one older file', async (t) => {
    const folder = scratchFolder(t);
    const log = new Log(t, join(folder, 'procmesh.log'), 4 * KIB);
    const padding = 'x'.repeat(KIB);
    for (let number = 1; number <= 30; number += 1) {
      log.logger.info({ number, padding }, 'line');
      await log.settled();
      assert.ok(statSync(log.file).size < 4 * KIB, `after line ${number}`);
    }
    await log.end();
    assert.deepEqual(readdirSync(folder).toSorted(), ['procmesh.log', 'procmesh.log.1']);
    const kept = [...log.lines(`${log.file}.1`), ...log.lines()].map(({ number }) => number);
    assert.deepEqual(kept, [25, 26, 27, 28, 29, 30]);
  });

  it('rotates what a run before it left too large, over what was rotated then', async (t) => {
    const file = join(scratchFolder(t), 'procmesh.log');
    writeFileSync(file, 'y'.repeat(3 * KIB));
    writeFileSync(`${file}.1`, 'older');
    const log = new Log(t, file, 2 * KIB);
    log.logger.info('new');
    await log.end();
    assert.equal(log.lines()[0]?.msg, 'new');
    assert.equal(readFileSync(`${file}.1`, 'utf8'), 'y'.repeat(3 * KIB));
  });

  it('makes its folder and its files for this user only', async (t) => {
    const folder = join(scratchFolder(t), 'a', 'b');
    const log = new Log(t, join(folder, 'procmesh.log'), KIB);
    log.logger.info('x'.repeat(2 * KIB));
    log.logger.info('second');
    await log.end();
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    for (const file of [log.file, `${log.file}.1`]) assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it('says which setting to change when its file cannot be written', (t) => {
    const folder = scratchFolder(t);
    mkdirSync(join(folder, 'folder.log'));
    writeFileSync(join(folder, 'file'), '');
    chmodSync(folder, 0o755);
    asNobody(() => {
      for (const path of ['procmesh.log', 'a/procmesh.log', 'file/procmesh.log', 'folder.log']) {
        const file = join(folder, path);
        assert.throws(
          () => createLogger({ file, maxBytes: KIB }),
          (error: Problem) => {
            assert.ok(error instanceof Problem);
            assert.deepEqual([error.code, error.exitCode], ['ERR_LOG_FILE', 2]);
            assert.equal(error.message, `the log ${file} cannot be written: set [global] log_file`);
            return true;
          },
        );
      }
    });
  });

  it('does not take the program down when its file cannot be written any more', async (t) => {
    const folder = scratchFolder(t);
    const log = new Log(t, join(folder, 'procmesh.log'), KIB);
    await log.settled();
    mkdirSync(join(folder, 'procmesh.log.1', 'in the way'), { recursive: true });
    log.logger.info('x'.repeat(2 * KIB));
    await log.settled();
    log.logger.info('y'.repeat(2 * KIB));
    await log.settled();
    assert.ok(existsSync(join(folder, 'procmesh.log.1', 'in the way')));
  });

  it('writes to standard error without a file, before the program can end', async (t) => {
    const module = JSON.stringify(new URL('../src/logger.ts', import.meta.url).href);
    const script = `const { createLogger } = await import(${module});
      createLogger({ file: '', maxBytes: 1 }).info('told');
      process.exit(3);`;
    const command = new Command(t, process.execPath, ['--input-type=module', '-e', script], {
      env: cleanEnvironment({}),
    });
    const { code, stdout, stderr } = await command.finished;
    assert.deepEqual([code, stdout], [3, '']);
    const { level, msg } = JSON.parse(stderr);
    assert.deepEqual([level, msg], ['info', 'told']);
  });
});
