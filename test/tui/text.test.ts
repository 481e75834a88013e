import assert from 'node:assert/strict';
import { test } from 'node:test';
import stringWidth from 'string-width';
import { cells, clean, fit, wrap } from '../../tui/text.ts';

test('an escape sequence loses what makes it one', () => {
  assert.equal(clean('a\x1b[2Jb\x07c\x9bd\x7f'), 'a�[2Jb�c�d�');
});

test('white space of any kind is a blank', () => {
  assert.equal(clean('a\tb\nc\r\nd\u2028e\u3000f'), 'a b c  d e f');
});

test('what joins or reorders its neighbours is left out', () => {
  assert.equal(clean('a\u202egnp.exe\u202c \u200b\ufeff'), 'agnp.exe ');
  assert.equal(clean('👩\u200d👧'), '👩👧');
  assert.equal(clean('👍🏽 ❤\ufe0f'), '👍 ❤');
});

test('unpaired surrogates, flags and unassigned code points are replaced', () => {
  assert.equal(clean('\ud83d|🇨🇳|\u{10ffff}|\ue000'), '�|��|�|�');
});

test('a letter keeps two accents at most, and an accent without a letter is dropped', () => {
  assert.equal(clean('e\u0301'), 'é');
  assert.equal(clean(`z${'\u0335'.repeat(50)}`), 'z\u0335\u0335');
  assert.equal(clean('\u0301 a'), ' a');
});

test('a Chinese character takes two cells, an emoji too, an accent none', () => {
  assert.equal(cells('订单'), 4);
  assert.equal(cells('😀'), 2);
  assert.equal(cells('z\u0335'), 1);
});

test('a text is cut where it no longer fits, never through a wide character', () => {
  assert.equal(fit('mysqld', 8), 'mysqld  ');
  assert.equal(fit('12.4G', 8, 'right'), '   12.4G');
  assert.equal(fit('mysqld:3307', 8), 'mysqld:…');
  assert.equal(fit('导出数据', 8), '导出数据');
  assert.equal(fit('导出数据', 7), '导出数…');
  assert.equal(fit('导出数据', 6), '导出… ');
  assert.equal(fit('导', 1), '…');
  assert.equal(fit('x', 0), '');
});

test('any text fitted takes exactly its cells', () => {
  const texts = ['导出数据.py', 'a\x1b[31mb', '👩‍👩‍👧 family', 'z̵̴̷algo', '한국어', 'ｆｕｌｌ', '\ud800', ''];
  for (const text of texts)
    for (let columns = 0; columns < 12; columns += 1)
      assert.equal(stringWidth(fit(text, columns)), columns, JSON.stringify([text, columns]));
});

test('a long text is wrapped at blanks, and a long word wherever the line ends', () => {
  assert.deepEqual(wrap('mysqld --port=3307 --user=mysql', 12), ['mysqld', '--port=3307', '--user=mysql']);
  assert.deepEqual(wrap('abcdefgh ij', 3), ['abc', 'def', 'gh', 'ij']);
  assert.deepEqual(wrap('导出数据 x', 5), ['导出', '数据', 'x']);
  assert.deepEqual(wrap('', 5), []);
});
