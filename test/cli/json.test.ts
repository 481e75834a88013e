import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatJson } from '../../src/cli/json.ts';

describe('formatJson', () => {
  const document = { name: 'a\n\x1b[2J\x9b2J\x7f\u202egnp.exe\u{e0041}企业 🐬', list: [1, { x: null }] };

  it('gives back what went in', () => {
    for (const watch of [true, false]) assert.deepEqual(JSON.parse(formatJson(document, { watch })), document);
  });

  it('holds no character that a terminal obeys', () => {
    assert.doesNotMatch(formatJson(document, {}).replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
    assert.match(formatJson(document, {}), /\\u009b2J\\u007f\\u202egnp\.exe\\udb40\\udc41企业 🐬/);
  });

  it('is one line with --watch, else indented', () => {
    assert.equal(formatJson({ a: [1] }, { watch: true }), '{"a":[1]}');
    assert.equal(formatJson({ a: [1] }, {}), '{\n  "a": [\n    1\n  ]\n}');
  });
});
