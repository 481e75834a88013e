import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Notice } from '../../src/alert-channel/notice.ts';
import { cut, digest } from '../../src/alert-channel/text.ts';

const AT = Date.UTC(2026, 10, 23, 3, 12, 4);
const notice = (fields: Partial<Notice> = {}): Notice => ({
  ...{ host: 'web-1', kind: 'cpu', istate: 1, remarks: 'cpu 97 %', atMs: AT },
  ...fields,
});
const many = (count: number, fields: Partial<Notice> = {}) =>
  Array.from({ length: count }, (_, index) => notice({ host: `web-${index}`, ...fields }));

describe('cut', () => {
  it('leaves what is short enough, and cuts at a whole character of people', () => {
    assert.equal(cut('数据库', 9), '数据库');
    assert.equal(cut('数据库', 8), '数…');
    assert.equal(cut('e\u0301e\u0301', 6), 'e\u0301e\u0301');
    assert.equal(cut('e\u0301e\u0301e\u0301', 8), 'e\u0301…');
    const family = '👩‍👩‍👧';
    assert.equal(cut(family.repeat(3), Buffer.byteLength(family) * 2 + 4), `${family.repeat(2)}…`);
    assert.equal(cut('abc\ud800', 100), 'abc\ufffd');
  });
});

describe('digest', () => {
  it('has a line for each, with its time, and what is over beside what is alerted', () => {
    const { text, told } = digest(
      [notice(), notice({ host: 'web-2', kind: 'offline', istate: 0, remarks: 'online again, it took 40 s' })],
      0,
      2_048,
    );
    assert.equal(text, 'procmesh\n03:12:04Z ALERT web-1: cpu 97 %\n03:12:04Z OK web-2: online again, it took 40 s');
    assert.equal(told.length, 2);
  });

  it('tells many of one kind in one line, with as many names as fit', () => {
    const offline = many(500, { kind: 'offline', remarks: 'offline' });
    const { text, told } = digest([...offline, notice({ host: 'db' })], 0, 2_048);
    assert.match(
      text,
      /^procmesh\n03:12:04Z ALERT offline, 500 hosts: web-0, web-1, .*web-\d+ and \d+ more\n03:12:04Z ALERT db: cpu 97 %$/,
    );
    const [, left] = / and (\d+) more\n/.exec(text) ?? [];
    assert.equal((text.match(/web-/g)?.length ?? 0) + Number(left), 500);
    assert.equal(told.length, 501);
  });

  it('takes what fits, whole lines, and at least one', () => {
    const long = Array.from({ length: 5 }, (_, index) => notice({ host: `web-${index}`, remarks: '数'.repeat(190) }));
    const { text, told } = digest(long, 0, 2_048);
    assert.deepEqual(
      told.map(({ host }) => host),
      ['web-0', 'web-1', 'web-2'],
    );
    assert.ok(Buffer.byteLength(text) <= 2_048);
    assert.equal(digest(long, 0, 10).told.length, 1);
  });

  it('says how many were left out, also where the text is full', () => {
    for (let length = 1; length < 550; length += 1) {
      const { text } = digest(many(5, { remarks: 'x'.repeat(length) }), 37, 2_048);
      assert.match(text, /\nand 37 more, see the log$/);
      assert.ok(Buffer.byteLength(text) <= 2_048);
    }
  });

  it('never has more bytes than asked for, whatever hosts are called and say', () => {
    for (let length = 0; length < 3_000; length += 37) {
      const wild = many(3, { host: '数\n👩‍👩‍👧'.repeat(25), remarks: 'é'.repeat(length) });
      const { text, told } = digest(wild, length, 2_048);
      assert.ok(Buffer.byteLength(text) <= 2_048 && told.length > 0);
      assert.equal(text.split('\n').length, 1 + told.length + (length > 0 ? 1 : 0));
    }
  });
});
