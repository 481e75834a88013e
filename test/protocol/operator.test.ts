import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decode } from '../../src/protocol/codec.ts';
import { MAX_CHANGED_HOSTS, MAX_OPERATOR_FRAME_BYTES, operatorToServerSchema } from '../../src/protocol/operator.ts';

function read(change: object): unknown {
  return decode(
    operatorToServerSchema,
    JSON.stringify({ type: 'change', id: 1, act: 'add', hosts: ['web-1'], ...change }),
    false,
  );
}

describe('an operator’s change', { timeout: 30_000 }, () => {
  it('may be of as many hosts as there are in a fleet, with the longest names there are', () => {
    const longest = `${'u'.repeat(32)}@${'h'.repeat(253)}:65535`;
    const hosts = Array.from({ length: MAX_CHANGED_HOSTS }, () => longest);
    assert.deepEqual(read({ hosts }), { type: 'change', id: 1, act: 'add', hosts });
    const frame = JSON.stringify({ type: 'change', id: 1, act: 'remove', hosts });
    assert.ok(frame.length <= MAX_OPERATOR_FRAME_BYTES);
    assert.throws(() => read({ hosts: [...hosts, 'one-more'] }), /change\.hosts/);
  });

  it('is refused with wrong fields', () => {
    for (const wrong of [
      { act: 'destroy' },
      { hosts: 'web-1' },
      { hosts: [''] },
      { hosts: [7] },
      { id: 0 },
      { id: 1.5 },
    ])
      assert.throws(() => read(wrong), /^FrameError: change\./, JSON.stringify(wrong));
  });

  it('of a newer kind is handed back as unknown', () => {
    assert.deepEqual(decode(operatorToServerSchema, '{"type":"release"}', false), {
      type: undefined,
      unknownType: 'release',
    });
  });
});
