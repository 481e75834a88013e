import assert from 'node:assert/strict';
import { test } from 'node:test';
import { line } from '../../tui/frame.ts';
import { commandOf, groupColumns, processColumns } from '../../tui/process-columns.ts';
import { captions, cellsOf, placed } from '../../tui/table.ts';
import { processRow } from './fleet.ts';
import { plain } from './stage.ts';

function names(fleet: boolean, columns: number, sort = 'cpu'): string {
  return placed(processColumns(fleet), sort, columns)
    .map(({ column }) => column.name)
    .join(' ');
}

test('a narrow terminal leaves out the columns that matter least', () => {
  assert.equal(names(true, 160), 'host instance pid user cpu mem read write net-in net-out command');
  assert.equal(names(true, 80), 'host instance cpu mem read write net-in net-out command');
  assert.equal(names(false, 80), 'instance pid cpu mem read write net-in net-out command');
  assert.equal(names(false, 60), 'instance cpu mem read write net-in command');
});

test('the column that is sorted by is always there', () => {
  assert.match(names(false, 60, 'user'), /user/);
  assert.match(names(true, 60, 'net-out'), /net-out/);
});

test('the columns fill the line and no more', () => {
  for (let columns = 60; columns < 250; columns += 1)
    for (const fleet of [true, false]) {
      const shown = placed(processColumns(fleet), 'cpu', columns);
      const taken = shown.reduce((sum, { width }) => sum + width + 1, 1);
      assert.equal(taken, columns);
    }
});

test('captions and cells stand in the same columns', () => {
  const shown = placed(processColumns(false), 'write', 90);
  assert.deepEqual(plain([line(90, captions(shown, 'write')), line(90, cellsOf(shown, processRow(), true))]), [
    '  INSTANCE           PID USER       CPU   MEM  READ ▼WRITE  NET-IN  NET-OUT COMMAND       ',
    '› mysqld:3307       2913 mysql    182.4   12G  1.2M    34M    512K     2.0M mysqld --defa…',
  ]);
});

test('a figure that is not known is a dash and a measured zero is a zero', () => {
  const shown = placed(groupColumns('user', false), 'cpu', 70);
  const row = { group: 'mysql', processes: 3, cpuPercent: 0, rssBytes: 5e6 };
  assert.deepEqual(plain([line(70, cellsOf(shown, row, false))]), [
    '  mysql                    3     0  4.8M     -      -       -        -',
  ]);
});

test('a command is shown without the folder of its program, a kernel thread by its name', () => {
  assert.equal(commandOf(processRow({ cmdline: '/usr/bin/my sql' })), 'my sql');
  assert.equal(commandOf(processRow({ cmdline: 'nginx: worker /x/y' })), 'nginx: worker /x/y');
  assert.equal(commandOf(processRow({ cmdline: '', comm: 'kworker/0:1' })), '[kworker/0:1]');
});
