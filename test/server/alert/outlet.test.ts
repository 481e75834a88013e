import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Channel } from '../../../src/alert-channel/channel.ts';
import type { Notice } from '../../../src/alert-channel/notice.ts';
import { Problem } from '../../../src/problem.ts';
import { MAX_WAITING, Outlet } from '../../../src/server/alert/outlet.ts';
import type { Alert } from '../../../src/store/fleet.ts';
import { clock, NOW, settled } from './clock.ts';

const alert = (index: number): Alert => ({
  ...{ host: `web-${index}`, kind: 'cpu', istate: 1, remarks: 'cpu 97 %', atMs: NOW },
});

/** An outlet to a channel that takes all it is given, unless a test has it do something else. */
function opened(t: TestContext) {
  const { pass } = clock(t);
  const messages: { hosts: string[]; omitted: number; atMs: number }[] = [];
  const troubles: string[] = [];
  const given: string[] = [];
  const channel = {
    name: 'WeCom',
    perMinute: 18,
    onTell: async (notices: readonly Notice[]): Promise<readonly Notice[]> => notices,
    async tell(notices: readonly Notice[], omitted: number): Promise<readonly Notice[]> {
      const told = await channel.onTell(notices);
      messages.push({ hosts: told.map(({ host }) => host), omitted, atMs: Date.now() - NOW });
      return told;
    },
  } satisfies Channel & Record<string, unknown>;
  const outlet = new Outlet(channel, ({ message }) => troubles.push(message));
  t.after(() => outlet.close());
  const send = (index: number): void => void outlet.send(alert(index)).then(() => given.push(`web-${index}`));
  return { channel, messages, troubles, given, outlet, send, pass };
}

const fails = (code: string, message: string) => async (): Promise<never> => {
  throw new Problem(code, message);
};

describe('outlet', { timeout: 30_000 }, () => {
  it('sends at once, and what comes meanwhile together', async (t) => {
    const { channel, messages, given, send, pass } = opened(t);
    const held = Promise.withResolvers<readonly Notice[]>();
    channel.onTell = () => held.promise;
    send(1);
    await pass(0);
    send(2);
    send(3);
    channel.onTell = async (notices) => notices;
    held.resolve([]);
    await pass(0);
    assert.deepEqual(given, ['web-1', 'web-2', 'web-3']);
    assert.deepEqual(messages.at(-1)?.hosts, ['web-1', 'web-2', 'web-3']);
  });

  it('sends what one message did not hold with the next', async (t) => {
    const { channel, messages, given, send, pass } = opened(t);
    channel.onTell = async (notices) => notices.slice(0, 2);
    for (const index of [1, 2, 3, 4, 5]) send(index);
    await pass(0);
    assert.deepEqual(
      messages.map(({ hosts }) => hosts.length),
      [2, 2, 1],
    );
    assert.equal(given.length, 5);
  });

  it('never sends more than 18 messages in any minute', async (t) => {
    const { messages, send, pass } = opened(t);
    for (let index = 0; index < 400; index += 1) {
      send(index);
      await pass(500, 500);
    }
    await pass(120_000);
    const times = messages.map(({ atMs }) => atMs);
    for (const from of times) assert.ok(times.filter((at) => at >= from && at < from + 60_000).length <= 18);
    assert.ok(messages.length >= 18 * 3);
    assert.equal(new Set(messages.flatMap(({ hosts }) => hosts)).size, 400);
  });

  it('tries again ever more seldom, says why once, and loses nothing', async (t) => {
    const { channel, troubles, given, send, pass } = opened(t);
    let attempts = 0;
    channel.onTell = async () => {
      attempts += 1;
      throw new TypeError('away');
    };
    send(1);
    await pass(600_000);
    assert.ok(attempts > 10 && attempts < 20, `${attempts} attempts`);
    assert.deepEqual(troubles, ['away']);
    channel.onTell = async (notices) => notices;
    send(2);
    await pass(60_000);
    assert.deepEqual(given, ['web-1', 'web-2']);
  });

  it('leaves a robot at its limit alone for a minute', async (t) => {
    const { channel, messages, send, pass } = opened(t);
    channel.onTell = fails('ERR_ALERT_LIMIT', 'too often');
    send(1);
    await pass(0);
    channel.onTell = async (notices) => notices;
    await pass(59_000);
    assert.equal(messages.length, 0);
    await pass(3_000);
    assert.equal(messages.length, 1);
  });

  it('gives up after an hour what nobody took, and says so', async (t) => {
    const { channel, troubles, given, send, pass } = opened(t);
    channel.onTell = fails('ERR_ALERT_REFUSED', 'refused');
    send(1);
    await pass(1_800_000, 5_000);
    send(2);
    await pass(1_900_000, 5_000);
    assert.deepEqual(given, ['web-1']);
    assert.deepEqual(troubles, ['refused', 'WeCom has taken 1 alerts not for an hour: given up']);
  });

  it('keeps so many, and tells the number of the others', async (t) => {
    const { channel, messages, given, send, pass } = opened(t);
    channel.onTell = fails('ERR_ALERT_AWAY', 'away');
    for (let index = 0; index < MAX_WAITING + 37; index += 1) send(index);
    await pass(0);
    assert.equal(given.length, 37);
    channel.onTell = async (notices) => notices;
    await pass(10_000);
    assert.deepEqual(
      messages.map(({ hosts, omitted }) => [hosts.length, omitted]),
      [[MAX_WAITING, 37]],
    );
    send(0);
    await pass(1_000);
    assert.equal(messages[1]?.omitted, 0);
  });

  it('sends nothing after it was closed, also in the middle of a wait', async (t) => {
    const { channel, messages, outlet, send, pass } = opened(t);
    channel.onTell = fails('ERR_ALERT_AWAY', 'away');
    send(1);
    await settled();
    outlet.close();
    channel.onTell = async (notices) => notices;
    await pass(120_000);
    assert.deepEqual(messages, []);
  });
});
