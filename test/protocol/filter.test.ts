import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileFilter, FilterError } from '../../src/protocol/filter.ts';
import type { ProcessRow } from '../../src/protocol/row.ts';

/** Its figures for writing and for outgoing traffic are not known. */
const MYSQLD: ProcessRow = {
  host: 'db-1',
  pid: 4242,
  instance: 'mysqld:3307',
  comm: 'mysqld',
  user: 'mysql',
  cmdline: '/usr/sbin/mysqld --defaults-file=/etc/my.cnf "two words"',
  ports: [3307, 33_060],
  state: 'S',
  threads: 40,
  startedAt: '2026-01-01T00:00:00Z',
  cpuPercent: 250,
  rssBytes: 3_000_000_000,
  readBytesPerSec: 0,
  writeBytesPerSec: undefined,
  netInBytesPerSec: 5_000,
  cpuPercentMax: 700,
};

function matches(filter: string, row: ProcessRow = MYSQLD): boolean {
  return compileFilter(filter)(row);
}

function assertMatch(...filters: string[]): void {
  for (const filter of filters) assert.equal(matches(filter), true, filter);
}

function assertNoMatch(...filters: string[]): void {
  for (const filter of filters) assert.equal(matches(filter), false, filter);
}

describe('filter', () => {
  it('looks for a bare word in every field, whatever its case', () => {
    assertMatch('mysqld', 'MYSQLD', 'db-1', '4242', '33060', 'defaults', 'my');
    assertNoMatch('postgres', 'db-2');
  });

  it('looks for a word in one field', () => {
    assertMatch('user:mysql', 'comm:mysqld', 'host:db-1', 'pid:4242', 'state:S', 'startedAt:2026*');
    assertNoMatch('user:mysqld', 'comm:defaults', 'host:mysql', 'state:R');
  });

  it('finds metrics by their names and by their sort names', () => {
    for (const field of ['cpu', 'cpuPercent']) assertMatch(`${field}:>249`, `${field}:250`);
    for (const field of ['mem', 'rssBytes']) assertMatch(`${field}:>2999999999`);
    for (const field of ['net-in', 'netInBytesPerSec']) assertMatch(`${field}:>4999`);
    for (const field of ['read', 'readBytesPerSec']) assertMatch(`${field}:=0`);
    assertMatch('cpuPercentMax:>600');
  });

  it('compares numbers', () => {
    assertMatch('cpu:>249', 'cpu:>=250', 'cpu:<251', 'cpu:<=250', 'cpu:=250', 'cpu:[200 TO 300]', 'threads:>39');
    assertNoMatch('cpu:>250', 'cpu:>=251', 'cpu:<250', 'cpu:<=249', 'cpu:=25', 'cpu:[1 TO 2]', 'threads:>40');
  });

  it('finds a port among all that are listened on', () => {
    assertMatch('port:3307', 'port:33060', 'port:>33000', 'ports:3307', 'port:33*');
    assertNoMatch('port:>33060', 'port:4242', 'port:44*');
  });

  it('takes a number for itself where there are only numbers, for digits elsewhere', () => {
    assertMatch('pid:4242', 'threads:40', 'mem:3000000000', 'instance:330', 'cmdline:"my.cnf"', '330');
    assertNoMatch('port:3306', 'pid:42', 'threads:4', 'cpu:25', 'cpuPercentMax:70', 'mem:3');
  });

  it('never compares a figure that is not known', () => {
    assertNoMatch('write:>0', 'write:<1', 'write:=0', 'net-out:>=0', 'write:*', 'netOutBytesPerSec:*');
  });

  it('does not find words in what is not known', () => {
    assertNoMatch('undefined', 'fine', 'null', 'NaN', 'write:undefined');
  });

  it('combines words by NOT, AND, OR, brackets and blanks', () => {
    assertMatch('NOT comm:bash', 'mysqld AND user:mysql', 'bash OR user:mysql', 'mysqld user:mysql', '-comm:bash');
    assertNoMatch('NOT mysqld', 'mysqld AND user:root', 'bash OR user:root', 'mysqld user:root', '-mysqld');
    assertMatch('(bash OR mysqld) AND cpu:>50', 'NOT (bash OR sshd)', 'bash OR (mysqld AND NOT user:root)');
    assertNoMatch('(bash OR mysqld) AND cpu:>500', 'NOT (bash OR mysqld)');
  });

  it('looks for quoted words as they stand', () => {
    assertMatch('"two words"', "'two words'", 'cmdline:"two words"', '"--defaults-file=/etc/my.cnf"');
    assertNoMatch('"words two"', '"my*"', 'comm:"my?qld"', '"MYSQLD"');
  });

  it('knows wildcards and regular expressions', () => {
    assertMatch('my*', 'comm:my*d', 'comm:my?qld', 'comm:/^my/', '/^mysqld:[0-9]+$/', 'comm:/^[Mm]y/');
    assertNoMatch('comm:pg*', 'comm:my?ld', 'comm:/^sql/', 'comm:/^MY/');
  });

  it('takes what names no field for a name with a colon', () => {
    assertMatch('mysqld:3307', 'MYSQLD:3307', 'mysqld:33*', 'mysqld:"3307"', 'instance:"mysqld:3307"');
    assertMatch('NOT mysqld:3308', '(mysqld:3308 OR mysqld:3307)', 'mysqld:3307 user:mysql');
    assertNoMatch('mysqld:3308', 'NOT mysqld:3307', 'mysqld:3307 user:root', 'mysql:3307');
  });

  it('does not take the names that every object has for fields', () => {
    assertNoMatch('__proto__:x', 'constructor:*', 'toString', 'hasOwnProperty:/./', 'constructor.name:Object');
  });

  it('takes what looks like a pattern in a row for mere text', () => {
    const row = { ...MYSQLD, comm: '$&(.*', user: '*', instance: '"/(' };
    assert.equal(matches('user:"*"', row), true);
    assert.equal(matches('comm:"(.*"', row), true);
    assert.equal(matches('comm:mysqld', row), false);
  });

  it('refuses what cannot be read, before any row is seen', () => {
    const unreadable = [
      ...['', '   ', '(', ')', '(a', '"', '"a', 'AND', 'NOT', 'a AND', 'OR a', '\\', '{}', '\0', 'a=b', '--port'],
      ...['cpu:>', 'cpu:>much', 'user:', 'nothing:>5', 'cpu:>50%', 'comm:/(/', '/[/', '/a/zz'],
      ...[
        'bash AND cpu:>much',
        'bash OR /(/',
        '/(/ OR bash',
        'NOT cpu:>much',
        '(bash AND (x OR cpu:>much))',
        'bash user:',
      ],
    ];
    for (const filter of unreadable) assert.throws(() => compileFilter(filter), FilterError, filter);
  });

  it('says in one line what it cannot read and what it wants', () => {
    assert.throws(
      () => compileFilter('a\nb\r(\u001b[2J'),
      (error: FilterError) => {
        assert.equal(error.code, 'ERR_FILTER');
        assert.equal(
          error.message,
          'the filter "a\\nb\\r(\\u001b[2J" cannot be read, it wants words like: mysqld, user:mysql, cpu:>50, NOT comm:bash, "two words"',
        );
        assert.ok(error.cause instanceof Error);
        return true;
      },
    );
  });

  it('takes a dozen brackets and no more, as each doubles the time to read a filter', () => {
    assert.equal(matches(`${'(mysqld) '.repeat(11)}(mysqld)`), true);
    for (const filter of ['(a) '.repeat(13), '/a/ '.repeat(13), 'a (/b/) '.repeat(9)])
      assert.throws(() => compileFilter(filter), FilterError, filter);
  });

  it('answers with a regular expression that backtracks without end', () => {
    const hostile = { ...MYSQLD, cmdline: `${'a'.repeat(60)}b` };
    assert.equal(compileFilter('cmdline:/(a+)+$/')(hostile), false);
    assert.equal(compileFilter('cmdline:a*a*a*a*a*a*c')({ ...MYSQLD, cmdline: 'a'.repeat(2000) }), false);
    assert.throws(() => compileFilter('cmdline:/(a+)+$/i'), FilterError, 'with flags there is no linear engine');
  });

  it('changes no row', () => {
    const row = Object.freeze({ ...MYSQLD, ports: Object.freeze([3307]) as number[] });
    assert.equal(matches('mysqld:3307 AND port:>1', row), true);
  });
});
