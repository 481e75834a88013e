import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { acquireLock } from '../src/lock.ts';
import { Problem } from '../src/problem.ts';
import { Command, cleanEnvironment } from './support/command.ts';
import { asNobody } from './support/nobody.ts';
import { scratchFolder } from './support/scratch.ts';

const LOCK = new URL('../src/lock.ts', import.meta.url).href;
/** Takes the lock and says so, or says why not; holds it until standard input ends. */
const HOLDER = `
  const { acquireLock } = await import(${JSON.stringify(LOCK)});
  try {
    const lock = acquireLock(process.argv[1], 'a test');
    console.log('held');
    process.stdin.on('end', () => lock.release()).resume();
  } catch (error) {
    console.log(error.message);
  }`;

/** Another process that takes the lock. */
function holder(t: TestContext, file: string): Command {
  return new Command(t, process.execPath, ['--input-type=module', '-e', HOLDER, file], { env: cleanEnvironment({}) });
}

/** What this process has open. */
function openFiles(): (string | undefined)[] {
  return readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return undefined;
    }
  });
}

function assertProblem(acquire: () => unknown, code: string, exitCode: number, message: string): void {
  assert.throws(acquire, (error: Problem) => {
    assert.ok(error instanceof Problem);
    assert.deepEqual([error.code, error.exitCode, error.message], [code, exitCode, message]);
    assert.ok(error.cause instanceof Error);
    return true;
  });
}

function assertHeldBy(pid: number | 'unknown', folder: string, acquire: () => unknown): void {
  const mend = 'stop it, or use another folder';
  assertProblem(acquire, 'ERR_RUNNING', 1, `a test is running already with ${folder} (pid ${pid}): ${mend}`);
}

describe('lock', () => {
  it('tells a second process the pid of the first', async (t) => {
    const folder = scratchFolder(t);
    const file = join(folder, 'lock');
    const first = holder(t, file);
    assert.equal(await first.stdout.line(), 'held');
    assertHeldBy(first.pid, folder, () => acquireLock(file, 'a test'));
    assert.ok(!openFiles().includes(file));
    assert.match(await holder(t, file).stdout.line(), new RegExp(`running already with .* \\(pid ${first.pid}\\)`));
  });

  it('is as good within one process', (t) => {
    const folder = scratchFolder(t);
    const lock = acquireLock(join(folder, 'lock'), 'a test');
    t.after(() => lock.release());
    assertHeldBy(process.pid, folder, () => acquireLock(join(folder, 'lock'), 'a test'));
  });

  it('is lifted when its holder is killed', async (t) => {
    const file = join(scratchFolder(t), 'lock');
    const first = holder(t, file);
    assert.equal(await first.stdout.line(), 'held');
    await first.kill('SIGKILL');
    const second = holder(t, file);
    assert.equal(await second.stdout.line(), 'held');
    assertHeldBy(second.pid, join(file, '..'), () => acquireLock(file, 'a test'));
  });

  it('is lifted when its holder releases it, and can be taken again', async (t) => {
    const file = join(scratchFolder(t), 'lock');
    const first = holder(t, file);
    assert.equal(await first.stdout.line(), 'held');
    first.process.stdin?.end();
    assert.equal((await first.finished).code, 0);
    for (let times = 0; times < 3; times += 1) acquireLock(file, 'a test').release();
    assert.equal(await holder(t, file).stdout.line(), 'held');
  });

  it('is held after failed attempts to take it', (t) => {
    const folder = scratchFolder(t);
    const file = join(folder, 'lock');
    const lock = acquireLock(file, 'a test');
    t.after(() => lock.release());
    for (let times = 0; times < 3; times += 1) assertHeldBy(process.pid, folder, () => acquireLock(file, 'a test'));
  });

  it('is not known by whom in the moment in which another takes it', (t) => {
    const folder = scratchFolder(t);
    const other = new DatabaseSync(join(folder, 'lock'));
    t.after(() => other.close());
    other.exec('BEGIN EXCLUSIVE; CREATE TABLE holder (pid INTEGER NOT NULL)');
    assertHeldBy('unknown', folder, () => acquireLock(join(folder, 'lock'), 'a test'));
  });

  it('makes its folder, for this user only', (t) => {
    const folder = join(scratchFolder(t), 'a', 'b');
    acquireLock(join(folder, 'lock'), 'a test').release();
    for (const made of [folder, join(folder, '..')]) assert.equal(statSync(made).mode & 0o777, 0o700);
  });

  it('is a file for this user only, also when it was not', (t) => {
    const file = join(scratchFolder(t), 'lock');
    for (const wasMode of [undefined, 0o666]) {
      if (wasMode !== undefined) chmodSync(file, wasMode);
      acquireLock(file, 'a test').release();
      assert.equal(statSync(file).mode & 0o777, 0o600);
    }
  });

  it('refuses a file that is something else, and leaves it as it was', (t) => {
    const file = join(scratchFolder(t), 'lock');
    for (const garbage of ['4711\n', 'not a lock\n'.repeat(1_000)]) {
      writeFileSync(file, garbage);
      chmodSync(file, 0o644);
      assertProblem(
        () => acquireLock(file, 'a test'),
        'ERR_LOCK',
        2,
        `${file} is not a lock of procmesh: move it away`,
      );
      assert.equal(readFileSync(file, 'utf8'), garbage);
      assert.equal(statSync(file).mode & 0o777, 0o644);
    }
  });

  it('says which setting to change when its folder is not ours, or is none', (t) => {
    const folder = scratchFolder(t);
    const mend = 'cannot be used as a lock: set [global] data_dir to a folder of this user’s own';
    writeFileSync(join(folder, 'file'), '');
    mkdirSync(join(folder, 'lock'));
    chmodSync(folder, 0o755);
    asNobody(() => {
      for (const file of [
        join(folder, 'new'),
        join(folder, 'a', 'new'),
        join(folder, 'file', 'new'),
        join(folder, 'lock'),
      ])
        assertProblem(() => acquireLock(file, 'a test'), 'ERR_LOCK', 2, `${file} ${mend}`);
    });
  });
});
