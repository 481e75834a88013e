import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inAscii } from '../../tui/ascii.ts';
import { faded, line, rule, span } from '../../tui/frame.ts';
import { plain } from './stage.ts';

test('a line is padded or cut to the columns', () => {
  const spans = [span('procmesh'), span(' 订单')];
  assert.deepEqual(plain([line(16, spans), line(13, spans), line(12, spans), line(3, spans)]), [
    'procmesh 订单   ',
    'procmesh 订单',
    'procmesh 订…',
    'pr…',
  ]);
});

test('what stands at the right keeps its place and what stands at the left gives way', () => {
  const right = [span('live')];
  assert.deepEqual(plain([line(12, [span('left')], right), line(8, [span('left side')], right)]), [
    'left    live',
    'lef…live',
  ]);
});

test('a rule has its title set into it', () => {
  assert.deepEqual(plain([rule(20, [span('hosts')], [span('9')]), rule(20, [span('hosts')])]), [
    '── hosts ────── 9 ──',
    '── hosts ───────────',
  ]);
});

test('no control character gets into a line, wherever it came from', () => {
  assert.deepEqual(plain([line(8, [span('a\x1b[2J\n')])]), ['a�[2J   ']);
});

test('a faded line has lost its colours but not its selection', () => {
  const was = [span('a', { fg: 'red', bold: true }), span('b', { inverse: true })];
  assert.deepEqual(faded(was), [span('a', { dim: true }), span('b', { inverse: true, dim: true })]);
});

test('without UTF-8 a line keeps its cells', () => {
  const frame = [line(25, [span('── █▌·· ▁▄█ ● 订单 café ▼')])];
  assert.deepEqual(plain(inAscii(frame)), ['-- #=.. _-# * ???? caf? v']);
});
