import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { absence, DescriptorPool, KernelFile, KernelText, readWhole } from '../../src/procfs/kernel-file.ts';
import { asNobody } from '../support/nobody.ts';
import { scratchFolder } from '../support/scratch.ts';
import { kill, sleeper } from '../support/sleeper.ts';

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

function read(file: KernelFile, text = new KernelText()): string | undefined {
  return file.read(text) ?? text.toString();
}

test('reads a file of /proc although its size is 0', () => {
  const text = new KernelText();
  assert.equal(new KernelFile('/proc/self/stat').read(text), undefined);
  assert.ok(text.toString().startsWith(`${process.pid} (`));
  assert.ok(text.toString().endsWith('\n'));
});

test('tells a file that is not there from one that may not be read', (t) => {
  const dir = scratchFolder(t);
  assert.equal(read(new KernelFile(join(dir, 'stat'))), 'gone');
  writeFileSync(join(dir, 'stat'), '');
  assert.equal(read(new KernelFile(join(dir, 'stat', 'io'))), 'gone');
  chmodSync(dir, 0o755);
  writeFileSync(join(dir, 'io'), 'secret', { mode: 0o000 });
  asNobody(() => assert.equal(read(new KernelFile(join(dir, 'io'))), 'denied'));
  asNobody(() => assert.equal(readWhole(join(dir, 'io'), new KernelText()), 'denied'));
});

test('passes on an error that is no absence', (t) => {
  const dir = scratchFolder(t);
  assert.throws(() => new KernelFile(dir).read(new KernelText()), { code: 'EISDIR' });
  assert.throws(() => readWhole(dir, new KernelText()), { code: 'EISDIR' });
  assert.throws(() => absence(new Error('no code')), { message: 'no code' });
  assert.equal(absence(Object.assign(new Error(), { code: 'EMFILE' })), 'denied');
});

test('leaks no descriptor when a read fails', (t) => {
  const dir = scratchFolder(t);
  const before = openDescriptors();
  for (let i = 0; i < 10; i += 1) {
    assert.throws(() => new KernelFile(dir).read(new KernelText()));
    assert.throws(() => readWhole(dir, new KernelText()));
  }
  assert.equal(openDescriptors(), before);
});

test('sees what changed through a kept descriptor', (t) => {
  const path = join(scratchFolder(t), 'stat');
  const file = new KernelFile(path, new DescriptorPool(1));
  t.after(() => file.close());
  for (const content of ['one', 'two', 'a longer three', '4']) {
    writeFileSync(path, content);
    assert.equal(read(file), content);
  }
});

test('keeps a descriptor from the second read on, and as many as the pool holds', (t) => {
  const dir = scratchFolder(t);
  const pool = new DescriptorPool(3);
  const files = Array.from({ length: 10 }, (_, index) => {
    writeFileSync(join(dir, String(index)), `text ${index}`);
    return new KernelFile(join(dir, String(index)), pool);
  });
  const before = openDescriptors();
  for (const kept of [0, 3, 3]) {
    for (const [index, file] of files.entries()) assert.equal(read(file), `text ${index}`);
    assert.equal(pool.kept, kept);
    assert.equal(openDescriptors(), before + kept);
  }
  for (const file of files) file.close();
  for (const file of files) file.close();
  assert.equal(pool.kept, 0);
  assert.equal(openDescriptors(), before);
});

test('hands a closed file’s place to another', (t) => {
  const path = join(scratchFolder(t), 'stat');
  writeFileSync(path, 'text');
  const pool = new DescriptorPool(1);
  const [first, second] = [new KernelFile(path, pool), new KernelFile(path, pool)];
  t.after(() => second.close());
  for (const file of [first, first, second, second]) read(file);
  first.close();
  assert.equal(pool.kept, 0);
  assert.equal(read(second), 'text');
  assert.equal(pool.kept, 1);
});

test('keeps nothing without a pool, nor with one that has no room', (t) => {
  const path = join(scratchFolder(t), 'stat');
  writeFileSync(path, 'text');
  const before = openDescriptors();
  for (const pool of [undefined, new DescriptorPool(0), new DescriptorPool(-200), new DescriptorPool(0.9)]) {
    const file = new KernelFile(path, pool);
    for (let i = 0; i < 3; i += 1) assert.equal(read(file), 'text');
    assert.equal(openDescriptors(), before);
  }
});

test('gives a dead process’s descriptor back', { timeout: 10_000 }, async (t) => {
  const child = await sleeper(t);
  const pool = new DescriptorPool(2);
  const files = ['stat', 'io'].map((name) => new KernelFile(`/proc/${child.pid}/${name}`, pool));
  for (const file of [...files, ...files]) assert.notEqual(read(file), 'gone');
  assert.equal(pool.kept, 2);
  await kill(child);
  for (const file of files) assert.equal(read(file), 'gone');
  assert.equal(pool.kept, 0);
});

test('reads the new process when a pid is used again', { timeout: 10_000 }, async (t) => {
  const [old, young] = await Promise.all([sleeper(t), sleeper(t)]);
  const pid = join(scratchFolder(t), '4711');
  symlinkSync(`/proc/${old.pid}`, pid);
  const pool = new DescriptorPool(1);
  const file = new KernelFile(join(pid, 'stat'), pool);
  t.after(() => file.close());
  for (let i = 0; i < 2; i += 1) assert.ok(read(file)?.startsWith(`${old.pid} (cat)`));
  rmSync(pid);
  symlinkSync(`/proc/${young.pid}`, pid);
  assert.ok(read(file)?.startsWith(`${old.pid} (cat)`), 'while the old process lives, its descriptor is its own');
  await kill(old);
  assert.ok(read(file)?.startsWith(`${young.pid} (cat)`));
  assert.equal(pool.kept, 1);
});

test('reads a whole file that is longer than the buffer', (t) => {
  const path = join(scratchFolder(t), 'long');
  const content = `${'x'.repeat(100_000)}end`;
  writeFileSync(path, content);
  const text = new KernelText();
  assert.equal(readWhole(path, text), undefined);
  assert.equal(text.toString(), content);
  writeFileSync(path, 'short');
  assert.equal(readWhole(path, text), undefined);
  assert.equal(text.toString(), 'short');
});

test('reads a whole file that the kernel hands out in pieces', () => {
  const text = new KernelText();
  text.bytes = Buffer.alloc(100);
  assert.equal(readWhole('/proc/self/smaps', text), undefined);
  assert.match(text.toString(), /^VmFlags:.*\n$/m);
  assert.ok(text.length > 4_096);
});

test('stops reading as soon as it has enough', (t) => {
  const path = join(scratchFolder(t), 'long');
  writeFileSync(path, 'x'.repeat(100_000));
  const text = new KernelText();
  assert.equal(
    readWhole(path, text, ({ length }) => length > 0),
    undefined,
  );
  assert.equal(text.length, text.bytes.length);
});

test('leaves nothing of an earlier text when there is nothing to read', (t) => {
  const dir = scratchFolder(t);
  mkdirSync(join(dir, 'proc'));
  writeFileSync(join(dir, 'passwd'), 'root:x:0:0');
  const text = new KernelText();
  readWhole(join(dir, 'passwd'), text);
  assert.equal(readWhole(join(dir, 'none'), text), 'gone');
  assert.equal(text.toString(), '');
});
