import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ServerMetrics } from '../../src/server/metrics.ts';
import { REFUSAL_REASONS, Refusals } from '../../src/server/refusals.ts';

const MINUTE_MS = 60_000;

function opened(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const said: string[] = [];
  const { refused: counter } = new ServerMetrics();
  const refusals = new Refusals({ counter, onRefused: (address, message) => said.push(`${address} ${message}`) });
  const count = async (reason: string): Promise<number | undefined> =>
    (await counter.get()).values.find(({ labels }) => labels.reason === reason)?.value;
  return { refusals, said, count };
}

describe('refusals', { timeout: 30_000 }, () => {
  it('are all counted, and told once for each address and reason', async (t) => {
    const { refusals, said, count } = opened(t);
    for (let times = 0; times < 3; times += 1) {
      refusals.refuse('10.0.0.1', 'token', 'no valid agent token');
      refusals.refuse('10.0.0.1', 'tls', 'the TLS handshake failed');
      refusals.refuse('10.0.0.2', 'token', 'no valid agent token');
    }
    assert.deepEqual(said, [
      '10.0.0.1 no valid agent token',
      '10.0.0.1 the TLS handshake failed',
      '10.0.0.2 no valid agent token',
    ]);
    assert.deepEqual([await count('token'), await count('tls'), await count('path')], [6, 3, 0]);
  });

  it('that repeat are summed up after a minute, and then ever more seldom, hourly at last', (t) => {
    const { refusals, said } = opened(t);
    refusals.refuse('10.0.0.1', 'token', 'no');
    for (let second = 1; second < 6 * 3_600; second += 1) {
      t.mock.timers.tick(1_000);
      refusals.refuse('10.0.0.1', 'token', 'no');
    }
    const minutes = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60];
    assert.deepEqual(
      said.slice(1).map((line) => /within (\d+) min/.exec(line)?.[1]),
      minutes.map(String),
    );
    assert.equal(said[1], '10.0.0.1 no (again 59 times within 1 min)');
    assert.equal(said[2], '10.0.0.1 no (again 120 times within 2 min)');
  });

  it('are told anew when none has come for a while', (t) => {
    const { refusals, said } = opened(t);
    refusals.refuse('10.0.0.1', 'token', 'no');
    t.mock.timers.tick(MINUTE_MS);
    refusals.refuse('10.0.0.1', 'token', 'no');
    assert.deepEqual(said, ['10.0.0.1 no', '10.0.0.1 no']);
  });

  it('of more than a thousand addresses are told as one, and forgotten when it is over', (t) => {
    const { refusals, said } = opened(t);
    for (let round = 0; round < 2; round += 1)
      for (let host = 0; host < 1_500; host += 1) refusals.refuse(`host-${host}`, 'token', 'no');
    assert.equal(said.length, 1_001);
    assert.equal(said.at(-1), 'many addresses no');
    t.mock.timers.tick(MINUTE_MS);
    assert.ok(said.includes('many addresses no (again 999 times within 1 min)'), said.join());
    t.mock.timers.tick(2 * MINUTE_MS);
    said.length = 0;
    refusals.refuse('host-1400', 'token', 'no');
    assert.deepEqual(said, ['host-1400 no']);
  });

  it('are told no more once it is closed', (t) => {
    const { refusals, said } = opened(t);
    refusals.refuse('10.0.0.1', 'token', 'no');
    refusals.refuse('10.0.0.1', 'token', 'no');
    refusals.close();
    t.mock.timers.tick(MINUTE_MS);
    assert.equal(said.length, 1);
  });

  it('are there for every reason before the first one', async (t) => {
    const { count } = opened(t);
    for (const reason of REFUSAL_REASONS) assert.equal(await count(reason), 0, reason);
  });
});
