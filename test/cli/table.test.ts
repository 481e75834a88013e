import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Column, formatTable } from '../../src/cli/table.ts';
import { cells } from '../../tui/text.ts';

interface Line {
  name: string;
  value: number;
  command: string;
}

const COLUMNS: Column<Line>[] = [
  { caption: 'NAME', text: ({ name }) => name },
  { caption: 'VALUE', align: 'right', text: ({ value }) => String(value) },
  { caption: 'COMMAND', fills: true, text: ({ command }) => command },
];

function lines(width: number | undefined, ...rows: Line[]): string[] {
  return formatTable(COLUMNS, rows, width).split('\n');
}

describe('table', () => {
  it('aligns its columns, without borders, colours and trailing blanks', () => {
    assert.deepEqual(
      lines(undefined, { name: 'mysqld', value: 7, command: 'mysqld -x' }, { name: 'a', value: 1234567, command: '' }),
      ['NAME      VALUE  COMMAND', 'mysqld        7  mysqld -x', 'a       1234567'],
    );
  });

  it('has a head when there are no rows', () => {
    assert.deepEqual(lines(undefined), ['NAME  VALUE  COMMAND']);
  });

  it('aligns wide characters by the cells they take', () => {
    const shown = lines(
      undefined,
      { name: '数据库备份', value: 1, command: 'x' },
      { name: 'abc', value: 2, command: 'x' },
    );
    assert.deepEqual(
      shown.map((line) => cells(line.slice(0, line.search(/COMMAND|x$/)))),
      [19, 19, 19],
    );
  });

  it('keeps every line within the terminal, and fills it', () => {
    const shown = lines(
      40,
      { name: 'mysqld', value: 7, command: 'x'.repeat(100) },
      { name: 'a', value: 1, command: 'short' },
    );
    assert.deepEqual(shown.map(cells), [22, 40, 20]);
    assert.match(shown[1] ?? '', /x…$/);
  });

  it('keeps every line within the terminal also when names are wide', () => {
    const shown = lines(
      40,
      { name: '数据库备份', value: 7, command: '备份'.repeat(50) },
      { name: '日', value: 1, command: 'y'.repeat(100) },
    );
    for (const line of shown) assert.ok(cells(line) <= 40, `${cells(line)} cells: ${line}`);
    assert.ok(Math.max(...shown.map(cells)) >= 39);
  });

  it('does not cut what goes to a file', () => {
    const command = 'x'.repeat(2_000);
    assert.ok(lines(undefined, { name: 'a', value: 1, command })[1]?.endsWith(command));
  });

  it('lets no escape sequence, control or bidirectional character of a name through', () => {
    const nasty = '\x1b[31mred\x1b[0m\x1b]0;title\x07 a\nb\tc\rd \x9b2J \u202egnp.exe \0';
    const text = formatTable(COLUMNS, [{ name: nasty, value: 1, command: nasty }], 200);
    assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
    assert.equal(text.split('\n').length, 2);
    assert.match(text, /red.*title/);
  });
});
