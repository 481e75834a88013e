import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HostRow } from '../../src/protocol/row.ts';
import type { ListedHost } from '../../src/server/host-list.ts';
import { listedRow } from '../../src/server/listed-row.ts';

const AWAY: HostRow = { host: 'web-1', status: 'offline', message: 'silent (4408)' };
const HERE: HostRow = { host: 'web-1', status: 'online', server: 'srv-1', cpuPercent: 75 };

function shown(listed: Partial<ListedHost>, row = AWAY, isConnected = false): [string, string | undefined] {
  const { status, message } = listedRow(row, { host: 'web-1', rshost: 'web-1', istate: 2, ...listed }, isConnected);
  return [status, message];
}

describe('listed row', { timeout: 30_000 }, () => {
  it('shows a host that is deployed, and what is done there', () => {
    assert.deepEqual(shown({ istate: 1 }), ['deploying', 'waits for its turn']);
    assert.deepEqual(shown({ istate: 1, phase: 'copying the runtime' }), ['deploying', 'copying the runtime']);
    assert.deepEqual(shown({ istate: 1, phase: 'waiting' }, HERE), ['deploying', 'waiting']);
  });

  it('shows why a host failed, also while it is tried again', () => {
    assert.deepEqual(shown({ istate: 1, failure: 'no route', attempts: 2 }), ['failed', 'no route']);
    assert.deepEqual(shown({ istate: 1, failure: 'no route', phase: 'connecting' }), ['failed', 'no route']);
    assert.deepEqual(shown({ istate: 0, failure: 'no route' }), ['failed', 'no route']);
    assert.deepEqual(shown({ istate: 1, fault: 'this is no host' }), ['failed', 'this is no host']);
  });

  it('shows a host that is, or has been, taken offline', () => {
    assert.deepEqual(shown({ istate: 0, phase: 'removing files' }), ['retired', 'removing files']);
    assert.deepEqual(shown({ istate: -1, failure: 'of before' }, { host: 'web-1', status: 'offline' }), [
      'retired',
      undefined,
    ]);
  });

  it('leaves a host that runs as its connection here shows it', () => {
    const late: HostRow = { ...HERE, status: 'late', message: 'disk use is hidden' };
    assert.deepEqual(shown({ server: 'srv-2', failure: 'of before' }, late, true), ['late', 'disk use is hidden']);
    assert.deepEqual(shown({}), ['offline', 'silent (4408)']);
  });

  it('shows a host that is connected to another server, and which', () => {
    const listed: ListedHost = { host: 'web-1', rshost: 'web-1', istate: 2, server: 'srv-2', version: '1.2.3' };
    const elsewhere = { host: 'web-1', status: 'online', server: 'srv-2', message: 'connected to srv-2' };
    assert.deepEqual(listedRow(AWAY, listed, true), { ...elsewhere, version: '1.2.3' });
    assert.deepEqual(listedRow(AWAY, listed, false), { ...AWAY, version: '1.2.3' });
  });

  it('knows since when a host is gone that was connected to another server', () => {
    const row: HostRow = { host: 'web-1', status: 'offline' };
    const disconnectedMs = Date.UTC(2026, 10, 23, 3, 12);
    const listed: ListedHost = { host: 'web-1', rshost: 'web-1', istate: 2, server: 'srv-2', disconnectedMs };
    assert.equal(listedRow(row, listed, false).lastSeenAt, '2026-11-23T03:12:00.000Z');
    const lastSeenAt = '2026-11-23T04:00:00.000Z';
    assert.equal(listedRow({ ...row, lastSeenAt }, listed, false).lastSeenAt, lastSeenAt);
  });

  it('shows a host that is being upgraded, and the step', () => {
    assert.deepEqual(shown({ upgrade: 'receiving' }, HERE), ['upgrading', 'receives a release']);
    assert.deepEqual(shown({ upgrade: 'testing' }, HERE), ['upgrading', 'tests a release']);
    assert.deepEqual(shown({ upgrade: 'trial' }, HERE), ['upgrading', 'has a release on trial']);
    assert.deepEqual(shown({ upgrade: 'trial', server: 'srv-2' }, AWAY, true), ['upgrading', 'has a release on trial']);
    for (const upgrade of ['waiting', 'done', 'away'] as const)
      assert.deepEqual(shown({ upgrade }, HERE), ['online', undefined]);
  });

  it('shows a host as offline whose agent left, unless it went to begin with a release', () => {
    assert.deepEqual(shown({ upgrade: 'receiving' }), ['offline', 'silent (4408)']);
    assert.deepEqual(shown({ upgrade: 'trial' }), ['upgrading', 'has a release on trial']);
  });

  it('shows why a host was not upgraded, which is no less online for that', () => {
    const failed = { upgrade: 'failed', upgradeFailure: 'the disk is full' } as const;
    assert.deepEqual(shown(failed, HERE), ['online', 'not upgraded: the disk is full']);
    assert.deepEqual(shown(failed), ['offline', 'not upgraded: the disk is full']);
  });
});
