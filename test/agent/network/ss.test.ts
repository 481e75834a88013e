import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type SsOptions, SsTable } from '../../../src/agent/network/ss.ts';
import { scratchFolder } from '../../support/scratch.ts';

const DEADLINE_MS = 20_000;

/** A program in the place of ss: what it does with -tienOH, and what with -E. */
function setUp(t: TestContext, scripts: { list?: string; events?: string }, options: SsOptions = {}) {
  // What it started has to be gone before the folder is.
  let table: SsTable | undefined;
  t.after(() => table?.close());
  const folder = scratchFolder(t);
  const ss = join(folder, 'ss');
  const { list = '', events = 'exec sleep 1000' } = scripts;
  writeFileSync(
    ss,
    `#!/bin/sh\ncd ${folder}\nif [ "$1" = -E ]; then\n${events}\nelse\necho "$*" >> calls\n${list}\nfi\n`,
  );
  chmodSync(ss, 0o755);
  table = new SsTable({ ss, firstRestartMs: 1, ...options });
  const calls = (): string[] =>
    existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').split('\n').slice(0, -1) : [];
  return { folder, table, calls };
}

function line(cookie: number, bytes: number): string {
  return `ESTAB 0 0 10.0.0.5:3306 10.0.0.7:40112 ino:${cookie} sk:${cookie.toString(16)} <-> bytes_sent:${bytes}`;
}

async function until(isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + DEADLINE_MS; !isSo(); await turn()) assert.ok(Date.now() < end, `${isSo} in time`);
}

/** Cookies of the first table that comes. */
async function listed(table: SsTable): Promise<number[]> {
  const cookies: number[] = [];
  await until(() => table.poll(({ cookie }) => cookies.push(cookie)));
  return cookies;
}

function destroyed(table: SsTable): number[] {
  const cookies: number[] = [];
  table.destroyed(({ cookie }) => cookies.push(cookie));
  return cookies;
}

test('hands out what it asked for at the poll before', async (t) => {
  const { table, calls } = setUp(t, { list: `echo '${line(1, 5)}'; echo nonsense; echo '${line(2, 6)}'` });
  assert.equal(
    table.poll(() => undefined),
    false,
  );
  assert.deepEqual(await listed(table), [1, 2]);
  assert.equal(calls()[0], '-tienOH');
  assert.equal(table.limitation, 'bytes are shown a sample late');
});

test('never runs two listings at a time', async (t) => {
  const { table, calls, folder } = setUp(t, { list: 'while [ ! -e go ]; do sleep 0.01; done' });
  for (let polls = 0; polls < 5; polls += 1)
    assert.deepEqual(
      table.poll(() => undefined),
      false,
    );
  await until(() => calls().length > 0);
  table.poll(() => undefined);
  assert.equal(calls().length, 1);
  writeFileSync(join(folder, 'go'), '');
  assert.deepEqual(await listed(table), []);
});

test('ends a listing that takes too long', async (t) => {
  const { table } = setUp(t, { list: 'exec sleep 1000' }, { deadlineMs: 50 });
  table.poll(() => undefined);
  await until(() => table.limitation?.includes('cannot be listed') ?? false);
  assert.match(table.limitation ?? '', /TCP connections cannot be listed \(ss took longer than 0.05 s\)/);
  assert.equal(
    table.poll(() => undefined),
    false,
  );
});

test('ends a listing that says too much, and uses nothing of it', async (t) => {
  const { table } = setUp(t, { list: `exec yes '${line(1, 1)}'` }, { maxOutputBytes: 100_000 });
  table.poll(() => undefined);
  await until(() => table.limitation?.includes('ss said more than 100000 bytes') ?? false);
  assert.equal(
    table.poll(() => assert.fail('half a table')),
    false,
  );
});

test('uses nothing of a listing that fails, and tries again', async (t) => {
  const { table } = setUp(t, { list: `echo '${line(1, 1)}'; [ -e ok ] || { touch ok; exit 3; }` });
  table.poll(() => undefined);
  await until(() => table.limitation?.includes('cannot be listed (ss: ended with 3)') ?? false);
  assert.deepEqual(await listed(table), [1]);
  assert.equal(table.limitation, 'bytes are shown a sample late');
});

test('tells of sockets as they are destroyed', async (t) => {
  const { table } = setUp(t, { events: `echo '${line(7, 1)}'; echo '${line(8, 1)}'; exec sleep 1000` });
  const cookies: number[] = [];
  await until(() => cookies.push(...destroyed(table)) >= 2);
  assert.deepEqual(cookies, [7, 8]);
  assert.deepEqual(destroyed(table), []);
});

test('tells of an end only after the table that may still show the socket', async (t) => {
  const { table, folder } = setUp(t, {
    list: `echo '${line(7, 1)}'; while [ ! -e go ]; do sleep 0.01; done`,
    events: `while [ ! -e end ]; do sleep 0.01; done; echo '${line(7, 1)}'; touch told; exec sleep 1000`,
  });
  table.poll(() => undefined);
  writeFileSync(join(folder, 'end'), '');
  await until(() => existsSync(join(folder, 'told')));
  table.poll(() => undefined);
  assert.deepEqual(destroyed(table), []);
  writeFileSync(join(folder, 'go'), '');
  const cookies: number[] = [];
  await until(() => {
    const isThere = table.poll(({ cookie }) => cookies.push(cookie));
    const ends = destroyed(table);
    assert.ok(isThere || ends.length === 0);
    return ends.length > 0;
  });
  assert.deepEqual(cookies, [7]);
});

test('starts the listener again when it dies, and counts that', async (t) => {
  const { table } = setUp(t, { events: `echo '${line(7, 1)}'; [ -e ok ] && exec sleep 1000; touch ok` });
  const cookies: number[] = [];
  await until(() => cookies.push(...destroyed(table)) >= 2);
  assert.match(table.limitation ?? '', /closed connections were missed, 1 times$/);
});

test('says so while the listener does not work at all', async (t) => {
  const { table } = setUp(t, { events: 'exit 255' });
  await until(() => table.limitation?.includes('not counted') ?? false);
  assert.match(table.limitation ?? '', /shorter than a sample are not counted \(ss -E: ended with 255\); closed conn/);
});

test('keeps a bounded number of destroyed sockets, and counts the others', async (t) => {
  const events = `for i in 1 2 3 4 5; do echo '${line(7, 1)}'; done; exec sleep 1000`;
  const { table } = setUp(t, { events }, { maxWaiting: 2 });
  await until(() => table.limitation?.includes('3 connections closed faster') ?? false);
  assert.deepEqual(destroyed(table), [7, 7]);
});

test('says that ss is missing, and gives up', async (t) => {
  const table = new SsTable({ ss: '/nowhere/ss', firstRestartMs: 1 });
  t.after(() => table.close());
  table.poll(() => undefined);
  await until(() => table.limitation?.includes('missing') ?? false);
  assert.equal(table.limitation, 'TCP connections are not attributed (ss of the package iproute2 is missing)');
  assert.equal(
    table.poll(() => undefined),
    false,
  );
});

test('says that setpriv is missing, and lists all the same', async (t) => {
  const path = process.env.PATH;
  t.after(() => {
    process.env.PATH = path;
  });
  process.env.PATH = '/nowhere';
  const { table } = setUp(t, { list: `echo '${line(1, 5)}'` });
  process.env.PATH = path;
  assert.deepEqual(await listed(table), [1]);
  await until(() => table.limitation?.includes('setpriv of the package util-linux is missing') ?? false);
});

test('what it started ends with this process, however that ends', async (t) => {
  const folder = scratchFolder(t);
  const ss = join(folder, 'ss');
  writeFileSync(
    ss,
    `#!/bin/sh\n[ "$1" = -E ] || exit 0\necho $$ > ${folder}/part\nmv ${folder}/part ${folder}/listener\nexec sleep 1000\n`,
  );
  chmodSync(ss, 0o755);
  const module = new URL('../../../src/agent/network/ss.ts', import.meta.url).href;
  const program = `import { SsTable } from '${module}'; new SsTable({ ss: '${ss}' });`;
  const agent = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'inherit' });
  t.after(() => agent.kill('SIGKILL'));
  await until(() => existsSync(join(folder, 'listener')));
  const listener = Number(readFileSync(join(folder, 'listener'), 'utf8'));
  assert.ok(existsSync(`/proc/${listener}`));
  agent.kill('SIGKILL');
  await until(() => !existsSync(`/proc/${listener}`));
});

test('ends what it started when it is closed', async (t) => {
  const list = 'echo $$ > lister; exec sleep 1000';
  const events = 'echo $$ > listener; exec sleep 1000';
  const { table, folder } = setUp(t, { list, events }, { deadlineMs: 2 * DEADLINE_MS });
  table.poll(() => undefined);
  const pids = (): number[] =>
    ['lister', 'listener'].map((name) => {
      const file = join(folder, name);
      return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
    });
  await until(() => pids().every((pid) => pid > 0));
  table.close();
  await until(() => pids().every((pid) => !existsSync(`/proc/${pid}`)));
  assert.equal(
    table.poll(() => undefined),
    false,
  );
});
