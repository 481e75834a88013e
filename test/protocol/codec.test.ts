import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as z from 'zod/mini';
import { decode, FrameError } from '../../src/protocol/codec.ts';
import {
  agentToServerSchema,
  serverToAgentSchema,
  serverToViewerSchema,
  viewerToServerSchema,
} from '../../src/protocol/message.ts';
import { aRow } from '../support/fake-agent.ts';

const HELLO = { type: 'hello', host: 'db-1', version: '1.0.0', outbox: { waiting: 0, dropped: 0 } };
const QUERY = { view: 'processes', sort: 'cpu', limit: 5 };

function text(message: object): Buffer {
  return Buffer.from(JSON.stringify(message));
}

function refused(reason: string | RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof FrameError);
    assert.equal(error.code, 'ERR_FRAME');
    if (typeof reason === 'string') assert.equal(error.message, reason);
    else assert.match(error.message, reason);
    return true;
  };
}

describe('decode', () => {
  it('makes a message of a frame, from a buffer or a text', () => {
    assert.deepEqual(decode(agentToServerSchema, text(HELLO), false), HELLO);
    assert.deepEqual(decode(agentToServerSchema, JSON.stringify(HELLO), false), HELLO);
  });

  it('refuses a binary frame', () => {
    assert.throws(() => decode(agentToServerSchema, text(HELLO), true), refused('binary frame'));
  });

  it('refuses what is not JSON and keeps the cause', () => {
    for (const data of ['', '{', 'hello', '\0', '{"type":"hello"}x']) {
      assert.throws(
        () => decode(agentToServerSchema, data, false),
        (error: FrameError) => refused('not JSON')(error) && error.cause instanceof SyntaxError,
      );
    }
  });

  it('refuses JSON without a type', () => {
    for (const data of ['null', '1', '"hello"', '[]', '[{"type":"hello"}]', '{}', '{"type":1}', '{"type":null}'])
      assert.throws(() => decode(agentToServerSchema, data, false), refused('no type'), data);
  });

  it('hands back the name of an unknown type, cut to 32 characters', () => {
    assert.deepEqual(decode(agentToServerSchema, text({ type: 'downgraded' }), false), {
      type: undefined,
      unknownType: 'downgraded',
    });
    assert.deepEqual(decode(agentToServerSchema, text({ type: 'x'.repeat(100) }), false), {
      type: undefined,
      unknownType: 'x'.repeat(32),
    });
  });

  it('does not take the names that every object has for types', () => {
    for (const type of ['__proto__', 'constructor', 'toString', ''])
      assert.deepEqual(decode(agentToServerSchema, text({ type }), false), { type: undefined, unknownType: type });
  });

  it('knows only the messages of its direction', () => {
    const unknown = { type: undefined, unknownType: 'hello' };
    for (const schema of [serverToAgentSchema, serverToViewerSchema, viewerToServerSchema])
      assert.deepEqual(decode(schema, text(HELLO), false), unknown);
  });

  it('drops unknown fields, also nested ones', () => {
    const newer = { ...HELLO, colour: 'red', outbox: { ...HELLO.outbox, lost: 3 } };
    assert.deepEqual(decode(agentToServerSchema, text(newer), false), HELLO);
  });

  it('names the message and the field that is wrong', () => {
    const wrong: [object, RegExp][] = [
      [{ ...HELLO, host: 5 }, /^hello\.host: /],
      [{ ...HELLO, host: '' }, /^hello\.host: /],
      [{ ...HELLO, host: 'h'.repeat(256) }, /^hello\.host: /],
      [{ ...HELLO, outbox: { waiting: -1, dropped: 0 } }, /^hello\.outbox\.waiting: /],
      [{ ...HELLO, outbox: undefined }, /^hello\.outbox: /],
      [{ type: 'rows', id: 0, atMs: 1, total: {}, rows: [] }, /^rows\.id: /],
      [{ type: 'interval' }, /^interval\.interval: /],
    ];
    for (const [message, reason] of wrong)
      assert.throws(() => decode(agentToServerSchema, text(message), false), refused(reason), reason.source);
  });

  it('names a field below a field', () => {
    const watch = { type: 'watch', id: 1, ttlMs: 1_000, query: { ...QUERY, sort: 'luck' } };
    assert.throws(() => decode(serverToAgentSchema, text(watch), false), refused(/^watch\.query\.sort: /));
    const subscribe = { type: 'subscribe', id: 1, query: { ...QUERY, limit: 0 } };
    assert.throws(() => decode(viewerToServerSchema, text(subscribe), false), refused(/^subscribe\.query\.limit: /));
  });

  it('keeps the reason short enough for a close frame', () => {
    const long = z.discriminatedUnion('type', [
      z.object({ type: z.literal('t'.repeat(90)), [`f${'x'.repeat(200)}`]: z.string() }),
    ]);
    assert.throws(
      () => decode(long, text({ type: 't'.repeat(90) }), false),
      (error: FrameError) => refused(/^t{32}\.fx+$/)(error) && Buffer.byteLength(error.message) <= 123,
    );
  });

  it('takes rows of processes or of groups, not of both', () => {
    const process = aRow('db-1', 7, 50);
    const group = { group: 'mysql', processes: 2, cpuPercent: 5 };
    const at = '2026-01-01T00:00:00.000Z';
    const answer = (...rows: object[]) => ({ type: 'rows', id: 1, at, rows, totals: [] });
    for (const message of [answer(), answer(process), answer(group, group)])
      assert.deepEqual(decode(serverToViewerSchema, text(message), false), message);
    assert.throws(() => decode(serverToViewerSchema, text(answer(process, group)), false), refused(/^rows\.rows: /));
  });

  it('refuses figures that are no numbers from 0', () => {
    const at = '2026-01-01T00:00:00.000Z';
    const answer = (cpuPercent: unknown) => ({
      type: 'rows',
      id: 1,
      at,
      rows: [{ group: 'mysql', processes: 1, cpuPercent }],
      totals: [],
    });
    for (const figure of ['5', -1, null, true, []])
      assert.throws(() => decode(serverToViewerSchema, text(answer(figure)), false), refused(/^rows\.rows/));
    assert.throws(
      () => decode(serverToViewerSchema, JSON.stringify(answer(0)).replace(':0}', ':1e999}'), false),
      refused(/^rows\.rows/),
    );
  });
});
