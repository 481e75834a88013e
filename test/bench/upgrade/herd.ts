import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AGENT_PATH } from '../../../src/protocol/message.ts';
import { agentToken, ensureSecrets } from '../../../src/server/auth.ts';
import { SyntheticFleet } from '../history/fleet.ts';
import { HerdAgent, type HerdRelease } from './herd-agent.ts';

/**
 * Agents that measure nothing and take what they are pushed: `herd.ts COUNT URL SERVER_DATA_DIR HASH`. HASH is of the
 * release that they run at first, as that server keeps it. To `report` it answers with a `HerdReport`.
 */
const [count = '', url = '', serverDir = '', hash = ''] = process.argv.slice(2);
const INTERVAL_MS = 30_000;
const PROCESSES = 20;
/** As agents have for sending an interval that all hosts end. */
const SPREAD_MS = 3_000;

/** When each of them was pushed a release, and had it confirmed: epoch ms, those who were first first. */
export interface HerdReport {
  pushedAtMs: number[];
  confirmedAtMs: number[];
  /** That were receiving at the same time. */
  mostReceiving: number;
  bytesPerAgent: number;
}

const { agents: secret } = ensureSecrets(serverDir, hostname());
const kept = JSON.parse(readFileSync(join(serverDir, 'releases', hash, 'release.json'), 'utf8'));
const known = new Set<string>();
for (const { sha256 } of kept.architectures[process.arch].files) known.add(sha256);
const [{ interval } = {}] = new SyntheticFleet(1, PROCESSES).intervals(INTERVAL_MS, INTERVAL_MS);
const { startMs: _, endMs: __, ...measured } = interval ?? {};
const rest = JSON.stringify(measured).slice(1);

const report: HerdReport = { pushedAtMs: [], confirmedAtMs: [], mostReceiving: 0, bytesPerAgent: 0 };
let receiving = 0;
const hosts = new SyntheticFleet(Number(count), 0).intervals(INTERVAL_MS, INTERVAL_MS).map(({ host }) => host);
const release: HerdRelease = { hash, serial: 1, version: '1.0' };
const agents = hosts.map(
  (host) =>
    new HerdAgent({
      host,
      release,
      known,
      url: new URL(AGENT_PATH, url).href,
      token: agentToken(secret, { host, generation: 0 }),
      interval: (startMs, endMs) => `{"type":"interval","interval":{"startMs":${startMs},"endMs":${endMs},${rest}}`,
      onPushed: () => {
        report.pushedAtMs.push(Date.now());
        receiving += 1;
        report.mostReceiving = Math.max(report.mostReceiving, receiving);
      },
      onReceived: (bytes) => {
        receiving -= 1;
        report.bytesPerAgent = bytes;
      },
      onConfirmed: () => report.confirmedAtMs.push(Date.now()),
    }),
);
for (const agent of agents) agent.connect(Math.random() * 5_000);
const endInterval = (): void => {
  const endMs = Math.floor(Date.now() / INTERVAL_MS) * INTERVAL_MS;
  for (const agent of agents) setTimeout(() => agent.endInterval(endMs), Math.random() * SPREAD_MS);
  setTimeout(endInterval, Math.max(endMs + INTERVAL_MS - Date.now(), 1));
};
setTimeout(endInterval, INTERVAL_MS - (Date.now() % INTERVAL_MS));
process.on('message', () => process.send?.(report));
process.on('disconnect', () => process.exit());
