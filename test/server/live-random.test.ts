import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Query } from '../../src/protocol/query.ts';
import type { ProcessRow } from '../../src/protocol/row.ts';
import { aRow } from '../support/fake-agent.ts';
import { type Fleet, openFleet, shown } from '../support/fleet.ts';
import { seededRandom } from '../support/random.ts';
import { processQuery } from '../support/test-server.ts';

const HOSTS = 20;
const ROUNDS = 40;

/** A process table of the next moment: values drift, jump, tie and vanish, processes come and go. */
function drift(host: string, table: readonly ProcessRow[], random: () => number): ProcessRow[] {
  const next: ProcessRow[] = table
    .filter(() => random() > 0.05)
    .map((row) => {
      const value = row.cpuPercent ?? 0;
      const kind = random();
      const cpuPercent =
        kind < 0.3 ? value : kind < 0.8 ? value * (0.6 + random() * 0.8) : kind < 0.9 ? 0 : 10 ** (random() * 3);
      return { ...row, cpuPercent: random() < 0.3 ? Math.round(cpuPercent) : cpuPercent };
    });
  while (next.length < 15 && random() < 0.5) {
    const pid = 1 + Math.floor(random() * 30_000);
    const fields = { user: random() < 0.5 ? 'mysql' : 'root' };
    if (!next.some((row) => row.pid === pid)) next.push(aRow(host, pid, random() * 50, fields));
  }
  return next;
}

/** The answer as anyone can see it who has all tables in one place. */
function bruteForce(fleet: Fleet, { limit, filter }: Query): string[] {
  const all = [...fleet.agents.values()]
    .flatMap(({ table }) => table)
    .filter(({ user }) => filter === undefined || user === 'root');
  all.sort(
    (a, b) => (b.cpuPercent ?? 0) - (a.cpuPercent ?? 0) || (`${a.host}\0${a.pid}` < `${b.host}\0${b.pid}` ? -1 : 1),
  );
  return all.slice(0, limit).map((row) => `${row.host}:${row.pid} ${row.cpuPercent}`);
}

async function play(t: TestContext, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const fleet = await openFleet(t);
  const names = Array.from({ length: HOSTS }, (_, index) => `host-${index}`);
  for (const host of names) await fleet.add(host, drift(host, [], random));
  const queries = [
    processQuery({ limit: 1 }),
    processQuery({ limit: 10 }),
    processQuery({ limit: 7, filter: 'user:root' }),
  ];
  const viewers = [];
  for (const query of queries) viewers.push({ query, viewer: await fleet.ask(query) });
  let quiet = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    // Some rounds change everything, some next to nothing, and hosts go and come back with other tables.
    const share = random();
    for (const agent of fleet.agents.values())
      if (random() < share) agent.table = drift(agent.host, agent.table, random);
    for (const { viewer } of viewers) viewer.taken('rows');
    const host = names[Math.floor(random() * HOSTS)] as string;
    if (fleet.agents.has(host)) {
      if (random() < 0.2) await fleet.remove(host);
    } else await fleet.add(host, drift(host, [], random));
    await fleet.sampleAll();
    for (const { query, viewer } of viewers) {
      const answers = viewer.taken('rows').filter((answer) => 'totals' in answer);
      assert.notEqual(answers.length, 0);
      const when: string = `seed ${seed}, round ${round}, limit ${query.limit}`;
      // What is shown while a host is just coming or going is settled by the last answer.
      assert.deepEqual(shown(answers.at(-1) as never), bruteForce(fleet, query), when);
    }
    for (const agent of fleet.agents.values())
      for (const { saidNothing } of agent.watched.values()) if (saidNothing) quiet += 1;
  }
  assert.ok(quiet > ROUNDS, `agents were silent ${quiet} times`);
}

describe('twenty hosts whose processes change at random', { timeout: 120_000 }, () => {
  for (const seed of [1, 2]) {
    it(`are answered for exactly as if all tables were in one place, seed ${seed}`, (t) => play(t, seed));
  }

  it('show nothing but exact answers while no host comes or goes', async (t) => {
    const random = seededRandom(4);
    const fleet = await openFleet(t);
    for (let index = 0; index < HOSTS; index += 1) await fleet.add(`host-${index}`, drift(`host-${index}`, [], random));
    const query = processQuery({ limit: 10 });
    const viewer = await fleet.ask(query);
    for (let round = 0; round < ROUNDS; round += 1) {
      viewer.taken('rows');
      for (const agent of fleet.agents.values()) agent.table = drift(agent.host, agent.table, random);
      await fleet.sampleAll();
      const answers = viewer.taken('rows').filter((answer) => 'totals' in answer);
      assert.notEqual(answers.length, 0);
      for (const answer of answers) {
        assert.deepEqual(shown(answer), bruteForce(fleet, query), `round ${round}`);
        assert.equal(answer.incomplete, undefined);
        for (const { host, at } of answer.totals) assert.equal(at, new Date(fleet.agent(host).atMs).toISOString());
      }
    }
  });
});
