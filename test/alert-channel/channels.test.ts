import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Notice } from '../../src/alert-channel/notice.ts';
import { openChannels } from '../../src/alert-channel/open.ts';
import { type Mood, WecomStandIn } from '../support/wecom.ts';

const NOTICE: Notice = {
  host: 'web-1',
  kind: 'cpu',
  istate: 1,
  remarks: 'cpu 97 %',
  atMs: Date.UTC(2026, 10, 23, 3, 12),
};
const never = new AbortController().signal;

async function opened(t: TestContext) {
  const robot = await WecomStandIn.start(t);
  const [wecom, webhook] = openChannels({ wecomUrl: robot.url, webhookUrl: robot.webhookUrl });
  assert.ok(wecom && webhook);
  return { robot, wecom, webhook };
}

describe('channels', { timeout: 30_000 }, () => {
  it('are those that are set', () => {
    assert.deepEqual(openChannels({ wecomUrl: '', webhookUrl: '' }), []);
    assert.deepEqual(
      openChannels({ wecomUrl: 'http://a/', webhookUrl: 'http://b/' }).map(({ name }) => name),
      ['WeCom', 'webhook'],
    );
  });

  it('send WeCom a text', async (t) => {
    const { robot, wecom } = await opened(t);
    assert.deepEqual(await wecom.tell([NOTICE], 0, never), [NOTICE]);
    const content = 'procmesh\n03:12:00Z ALERT web-1: cpu 97 %';
    assert.deepEqual(robot.bodies, [{ msgtype: 'text', text: { content } }]);
  });

  it('send WeCom no more than 2,048 bytes, which it would refuse', async (t) => {
    const { robot, wecom } = await opened(t);
    const notices = Array.from({ length: 5 }, () => ({ ...NOTICE, remarks: '数'.repeat(1_000) }));
    await wecom.tell(notices, 12, never);
    assert.equal(robot.texts.length, 1);
  });

  it('post a webhook JSON, a hundred alerts at most', async (t) => {
    const { robot, webhook } = await opened(t);
    const over: Notice = { ...NOTICE, istate: 0, remarks: 'cpu has room again' };
    assert.deepEqual(await webhook.tell([NOTICE, over], 0, never), [NOTICE, over]);
    const at = '2026-11-23T03:12:00.000Z';
    const alerts = [
      { host: 'web-1', kind: 'cpu', state: 'alerted', text: 'cpu 97 %', at },
      { host: 'web-1', kind: 'cpu', state: 'recovered', text: 'cpu has room again', at },
    ];
    assert.deepEqual(robot.bodies, [{ alerts }]);
    const told = await webhook.tell(
      Array.from({ length: 150 }, () => NOTICE),
      7,
      never,
    );
    assert.equal(told.length, 100);
    assert.equal((robot.bodies[1] as unknown as { omitted: number }).omitted, 7);
  });

  it('say that the robot is at its limit, or refuses the key', async (t) => {
    const { robot, wecom } = await opened(t);
    robot.recent = 20;
    await assert.rejects(wecom.tell([NOTICE], 0, never), { code: 'ERR_ALERT_LIMIT' });
    const [wrong] = openChannels({ wecomUrl: robot.url.replace('test-key', 'secret-key'), webhookUrl: '' });
    await assert.rejects(async () => wrong?.tell([NOTICE], 0, never), {
      code: 'ERR_ALERT_REFUSED',
      message: 'WeCom refuses the message (errcode 93000, invalid webhook url): check [MSM] wx_url',
    });
  });

  for (const [mood, code, message] of [
    ['fails', 'ERR_ALERT_AWAY', /^127\.0\.0\.1:\d+ answers 500$/],
    ['hangs up', 'ERR_ALERT_AWAY', /^127\.0\.0\.1:\d+ cannot be reached \(\w+\)$/],
    ['redirects', 'ERR_ALERT_REFUSED', /^127\.0\.0\.1:\d+ answers 302, and redirects are not followed/],
    ['babbles', 'ERR_ALERT_AWAY', /^the answer of WeCom cannot be read$/],
    ['floods', 'ERR_ALERT_AWAY', /^the answer of WeCom cannot be read$/],
  ] satisfies [Mood, string, RegExp][]) {
    it(`say in plain words, without the key, that a receiver ${mood}`, async (t) => {
      const { robot, wecom } = await opened(t);
      robot.mood = mood;
      await assert.rejects(wecom.tell([NOTICE], 0, never), (error: Error & { code: string }) => {
        assert.deepEqual([error.code, error.message.includes(robot.key)], [code, false]);
        assert.match(error.message, message);
        return true;
      });
      assert.equal(robot.bodies.length, 1);
    });
  }

  it('do not wait for ever', async (t) => {
    const { robot, wecom } = await opened(t);
    robot.mood = 'hangs';
    const deadline = new AbortController();
    t.mock.method(AbortSignal, 'timeout', () => deadline.signal);
    const told = wecom.tell([NOTICE], 0, never);
    await robot.requests(1);
    deadline.abort(new DOMException('late', 'TimeoutError'));
    await assert.rejects(told, { code: 'ERR_ALERT_AWAY', message: /has not answered in 10 s$/ });
  });

  it('end when they are told to', async (t) => {
    const { robot, webhook } = await opened(t);
    robot.mood = 'hangs';
    const stop = new AbortController();
    const told = webhook.tell([NOTICE], 0, stop.signal);
    await robot.requests(1);
    stop.abort(new Error('stopped'));
    await assert.rejects(told, { message: 'stopped' });
  });
});
