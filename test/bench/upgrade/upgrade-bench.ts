import type { TestContext } from 'node:test';
import { isRoot, missing } from '../../support/requirements.ts';
import { Results } from '../results.ts';
import { upgradeHerd } from './herd-bench.ts';
import { RealHosts } from './real-hosts.ts';

const agents = Number(process.argv.find((argument) => /^\d+$/.test(argument)) ?? 2_000);
/** `[RELEASE] waves` as it comes. */
const sizes = [1, Math.ceil(agents / 10), agents];
/** Of the server: agents that receive at the same time. */
const PLACES = 200;
const results = new Results();

function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

/** Runs what needs a test's clean-up, and cleans up. */
async function within<T>(work: (t: TestContext) => Promise<T>): Promise<T> {
  const cleanUps: (() => unknown)[] = [];
  const onInterrupt = (): void => void cleanUp().then(() => process.exit(130));
  const cleanUp = async (): Promise<void> => {
    for (const each of cleanUps.splice(0).reverse()) await each();
  };
  process.once('SIGINT', onInterrupt);
  try {
    return await work({ after: (each: () => unknown) => cleanUps.push(each) } as unknown as TestContext);
  } finally {
    process.off('SIGINT', onInterrupt);
    await cleanUp();
  }
}

async function measureHosts(t: TestContext): Promise<void> {
  progress(`${RealHosts.count} hosts are deployed to`);
  const hosts = await RealHosts.open(t, progress);
  const who = `${RealHosts.count} hosts under load`;
  progress('another release');
  const upgraded = await hosts.upgrade();
  results.bound(`${who}: restart of the server until all run the new release, done`, upgraded.tookS, 's', 30);
  // Timers of a machine under load are no better than that.
  const gapS = Math.round(upgraded.longestGapS * 10) / 10;
  results.bound(`${who}: longest gap between two samples of a host, one each 2 s`, gapS, 's', 2);
  results.note(`${who}: the same over the restart of their server`, `${upgraded.breakS.toFixed(2)} s`);
  results.bound(`${who}: time that no interval covers, or two do`, upgraded.uncoveredMs, 'ms', 0);
  results.bound(`${who}: agents with another pid than before`, upgraded.pidsChanged, '', 0);
  for (const [version, what, condition] of [
    ['3.0', 'a release that breaks when it is loaded', 'true'],
    ['4.0', 'one that passes its self-test and breaks then', "!process.argv.includes('--self-test')"],
  ] as const) {
    progress(what);
    const stopped = await hosts.breakRelease(version, condition);
    results.note(`${what}: stopped, and all are back`, `${stopped.tookS.toFixed(1)} s after the server's restart`);
    results.bound(`${what}: longest that a host is not seen`, stopped.longestGapS, 's', 20);
    results.bound(`${what}: hosts away at the same time`, stopped.mostAway, '', 1);
    progress(stopped.reason);
  }
}

async function measureHerd(t: TestContext): Promise<void> {
  const herd = await upgradeHerd(t, sizes, progress);
  const { before, during, waves, tookS, mostReceiving, mbPerAgent, writesPerHost } = herd;
  for (const [index, { hosts, pushed }] of waves.entries())
    results.bound(`${agents} agents: pushed before all of wave ${index + 1} were confirmed`, pushed, '', hosts);
  results.bound(`${agents} agents: receiving at the same time`, mostReceiving, '', PLACES);
  results.bound(`${agents} agents: restart of the server until all run the new release, done`, tookS, 's', 60);
  results.note(`${agents} agents: sent to each`, `${mbPerAgent.toFixed(2)} MB`);
  results.note(`${agents} agents: rows written of each host`, writesPerHost.toFixed(1));
  const ratio = (own: number, reference: number, unit: string): string =>
    `${own.toFixed(1)} ${unit}, before ${reference.toFixed(1)} ${unit}, ratio ${(own / reference).toFixed(2)}`;
  results.note('the same: memory of the server, RSS, highest', ratio(during.mostRssMb, before.mostRssMb, 'MB'));
  results.note('the same: what an agent says is read, p50', ratio(during.ping.p50, before.ping.p50, 'ms'));
  results.note('the same: what an agent says is read, p99', ratio(during.ping.p99, before.ping.p99, 'ms'));
  results.note("the same: longest hold-up of the server's loop", ratio(during.worstLoopMs, before.worstLoopMs, 'ms'));
  if (herd.state !== 'done') throw new Error(`the rollout is ${herd.state}`);
}

const obstacle =
  missing(['mariadb-server', 'iproute2', 'util-linux', 'openssh-server', 'cron']) ??
  (isRoot() ? undefined : 'wants root: for test hosts in namespaces of their own');
if (obstacle !== undefined) {
  progress(obstacle);
  process.exit(1);
}
await within(measureHosts);
await within(measureHerd);
results.print(process.argv.includes('--markdown'));
