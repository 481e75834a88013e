import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Channel } from '../../../src/alert-channel/channel.ts';
import { Problem } from '../../../src/problem.ts';
import type { Beat, Hello } from '../../../src/protocol/message.ts';
import { Alerts } from '../../../src/server/alert/alerts.ts';
import { Ingest } from '../../../src/server/ingest.ts';
import { ServerMetrics } from '../../../src/server/metrics.ts';
import { type AgentConnection, Registry } from '../../../src/server/registry.ts';
import type { Alert } from '../../../src/store/fleet.ts';
import { interval, usage } from '../../store/sample.ts';
import { FakeFleet } from '../../support/fake-fleet.ts';
import { FakeStore } from '../../support/fake-store.ts';
import { openServer } from '../../support/test-server.ts';
import { clock, settled } from './clock.ts';

const SATURATION = { cpuPercent: 95, memPercent: 95, diskUtilPercent: 95, netPercent: 95, forMs: 300_000 };
const NO_SATURATION = { ...SATURATION, cpuPercent: 0, memPercent: 0, diskUtilPercent: 0, netPercent: 0 };

/** A server's alerts, with an agent of `web-1` and a channel that takes everything. */
function opened(t: TestContext) {
  const { pass } = clock(t);
  const fleet = new FakeFleet();
  const list = { reading: undefined };
  const store = new FakeStore();
  const registry = new Registry({ serverName: 'srv-1', sampleMs: 2_000 });
  const ingest = new Ingest({ store, metrics: new ServerMetrics(), onTrouble: () => undefined });
  const messages: string[] = [];
  const channel: Channel = {
    ...{ name: 'WeCom', perMinute: 18 },
    tell: async (notices) => {
      messages.push(...notices.map(({ host, remarks }) => `${host}: ${remarks}`));
      return notices;
    },
  };
  const options = { serverName: 'srv-1', fleet, list, registry, ingest, saturation: SATURATION, rollouts: () => [] };
  const alerts = new Alerts({ ...options, channels: [channel], onTrouble: () => undefined });
  const told: Alert[] = [];
  alerts.on('told', (alert) => told.push(alert));
  t.after(() => {
    alerts.stop();
    ingest.close();
  });
  alerts.start();
  const connect = (outbox: Hello['outbox'] = { waiting: 0, dropped: 0 }): AgentConnection => {
    const hello: Hello = { type: 'hello', host: 'web-1', version: '1.0.0', outbox };
    const connection = { hello, send: () => undefined, replace: () => undefined } as unknown as AgentConnection;
    registry.connect(connection);
    return connection;
  };
  const beat = (connection: AgentConnection, cpuPercent: number, fields: Partial<Beat> = {}): void =>
    registry.beat(connection, {
      ...{ type: 'beat', atMs: Date.now(), culprits: {}, agent: { cpuPercent: 1, rssBytes: 1 } },
      usage: usage({ cores: 1, cpuPercent, unattributed: {} }),
      ...fields,
    });
  /** Beats every two seconds. */
  const beats = async (connection: AgentConnection, cpuPercent: number, ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 2_000) {
      beat(connection, cpuPercent);
      await pass(2_000, 2_000);
    }
  };
  const brief = () => told.map(({ host, kind, istate }) => `${host} ${kind} ${istate}`);
  return { fleet, store, ingest, registry, alerts, told, brief, messages, pass, connect, beat, beats };
}

describe('alerts', { timeout: 30_000 }, () => {
  it('tell of a host that is used up, and when it is no longer', async (t) => {
    const { connect, beats, brief, told } = opened(t);
    await settled();
    const agent = connect();
    await beats(agent, 99, 320_000);
    await beats(agent, 10, 320_000);
    assert.deepEqual(brief(), ['web-1 cpu 1', 'web-1 cpu 0']);
    assert.equal(told[0]?.remarks, 'cpu 99 % for 5 min');
  });

  it('begin anew with a host whose agent has come back, and take other limits over', async (t) => {
    const { connect, registry, alerts, beats, brief } = opened(t);
    await settled();
    const agent = connect();
    await beats(agent, 99, 290_000);
    registry.disconnect(agent, 'closed');
    const next = connect();
    await beats(next, 99, 290_000);
    assert.deepEqual(brief(), []);
    alerts.changeSaturation(NO_SATURATION);
    await beats(next, 99, 600_000);
    assert.deepEqual(brief(), []);
  });

  it('tell of a host that loses intervals', async (t) => {
    const { connect, beat, pass, brief } = opened(t);
    await settled();
    const agent = connect();
    await pass(5_000);
    assert.deepEqual(brief(), []);
    beat(agent, 1, { droppedIntervals: 3 });
    await pass(310_000);
    assert.deepEqual(brief(), ['web-1 outbox 1', 'web-1 outbox 0']);
  });

  it('tell directly, whoever does the duty, that nothing can be stored, and record it when it can', async (t) => {
    const { store, fleet, ingest, pass, brief, messages } = opened(t);
    await settled();
    const away = async (): Promise<never> => {
      throw new Problem('ERR_STORE_AWAY', 'MySQL at db:3306 takes no connections at the moment');
    };
    store.onWrite = away;
    fleet.onCall = away;
    ingest.add('web-1', interval(1), () => undefined);
    await pass(20_000);
    assert.deepEqual(messages.length, 1);
    assert.match(
      messages[0] ?? '',
      /^srv-1: history cannot be stored for 1\d s: MySQL at db:3306 takes no connections at the moment$/,
    );
    assert.deepEqual(fleet.alerts, []);
    store.onWrite = async () => undefined;
    fleet.onCall = async () => undefined;
    await pass(60_000);
    assert.deepEqual(brief(), ['srv-1 store 1', 'srv-1 store 0']);
    assert.deepEqual(
      fleet.alerts.map(({ kind, istate }) => `${kind} ${istate}`),
      ['store 1', 'store 0'],
    );
    // That it is over is sent by whoever does the duty.
    assert.equal(messages.length, 1);
  });

  it('say nothing after they were stopped', async (t) => {
    const { alerts, connect, beat, pass, brief } = opened(t);
    await settled();
    const agent = connect();
    alerts.stop();
    beat(agent, 1, { droppedIntervals: 3 });
    await pass(60_000);
    assert.deepEqual(brief(), []);
  });
});

describe('a viewer', { timeout: 30_000 }, () => {
  it('is told what is alerted on its server, as long as it is there', async (t) => {
    const fleet = new FakeFleet();
    const saturation = { ...SATURATION, forMs: 1 };
    const server = await openServer(t, {
      alerts: { fleet, list: { reading: undefined }, channels: [], saturation, rollouts: () => [] },
    });
    const viewer = await server.connect('viewer');
    const other = await server.connect('viewer');
    other.socket.terminate();
    await other.closed;
    await viewer.settled();
    while ((await server.metric('procmesh_viewers')) > 1);
    // The server itself, and the viewer that is left.
    assert.equal(server.server.alerts?.listenerCount('told'), 2);
    const agent = await server.agent('web-1');
    agent.usage = usage({ cores: 1, cpuPercent: 100, unattributed: {} });
    while (viewer.received.length === 0) {
      agent.beat();
      await agent.wire.settled();
      await viewer.settled();
    }
    const { at, ...event } = await viewer.next('event');
    assert.match(at, /Z$/);
    assert.deepEqual(event, { type: 'event', host: 'web-1', state: 'alerted', text: 'cpu 100 % for 0 s' });
  });
});
