import { hostname } from 'node:os';
import { join } from 'node:path';
import { Outbox } from '../../../src/agent/history/outbox.ts';
import { Link } from '../../../src/agent/link.ts';
import { agentToken, ensureSecrets } from '../../../src/server/auth.ts';
import { usage } from '../../store/sample.ts';
import { SyntheticFleet } from '../history/fleet.ts';

/**
 * Agents that measure nothing and otherwise do as real ones: `herd.ts COUNT URL,URL SERVER_DATA_DIR PIN FOLDER`. Each beats every
 * two seconds and hands over an interval whenever it is told the end of one. Says when all have an outbox.
 */
const [count = '', urls = '', serverDir = '', pin = '', folder = ''] = process.argv.slice(2);
const BEAT_MS = 2_000;
const INTERVAL_MS = 30_000;
const PROCESSES = 20;

const fleet = new SyntheticFleet(Number(count), PROCESSES);
const { agents: secret } = ensureSecrets(serverDir, hostname());
const agent = { cpuPercent: 0.5, rssBytes: 5e7 };
const outboxes = new Map<string, { outbox: Outbox; link: Link }>();

for (const { host } of fleet.intervals(INTERVAL_MS, INTERVAL_MS)) {
  const outbox = new Outbox(join(folder, host));
  const hello = { host, version: '1.0.0' };
  const token = agentToken(secret, { host, generation: 0 });
  const link = new Link({
    servers: urls.split(','),
    token: () => token,
    pin: () => pin,
    hello,
    outbox,
    heartbeatMs: 3_000,
  });
  const beat = (): boolean => link.sendLive({ type: 'beat', atMs: Date.now(), usage: usage(), culprits: {}, agent });
  link.on('settings', beat);
  setTimeout(() => setInterval(beat, BEAT_MS), Math.random() * BEAT_MS);
  outboxes.set(host, { outbox, link });
  link.connect();
}
process.send?.({ port: 0 });

process.on('message', async (endMs: number) => {
  for (const { host, interval } of fleet.intervals(endMs, INTERVAL_MS)) {
    const { outbox, link } = outboxes.get(host) ?? {};
    await outbox?.append(interval);
    await link?.sendIntervals();
  }
  process.send?.({ port: 0 });
});
process.on('disconnect', () => process.exit());
