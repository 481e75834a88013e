import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recorded } from '../../tui/history.ts';
import { hostRow } from './fleet.ts';

const at = (second: number) => new Date(second * 1000).toISOString();

test('a host adds a sample when it was heard again, and none when another host was', () => {
  let history = recorded(new Map(), [hostRow({ lastSeenAt: at(1), cpuPercent: 80 })]);
  history = recorded(history, [hostRow({ lastSeenAt: at(1), cpuPercent: 80 }), hostRow({ host: 'db-02' })]);
  history = recorded(history, [hostRow({ lastSeenAt: at(3), cpuPercent: 160 })]);
  assert.deepEqual(
    history.get('db-01')?.map(({ cpu }) => cpu),
    [0.1, 0.2],
  );
});

test('a host that never reported has no samples, and one that is no longer listed is forgotten', () => {
  const history = recorded(recorded(new Map(), [hostRow()]), [{ host: 'db-02', status: 'deploying' }]);
  assert.deepEqual([...history], [['db-02', []]]);
});

test('the history of a host is bounded and keeps the newest', () => {
  let history = recorded(new Map(), []);
  for (let second = 0; second < 400; second += 1)
    history = recorded(history, [hostRow({ lastSeenAt: at(second), diskUtilPercent: second / 4 })]);
  const samples = history.get('db-01') ?? [];
  assert.equal(samples.length, 150);
  assert.equal(samples.at(-1)?.disk, 399 / 400);
});
