import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { after, before, describe, it, type TestContext } from 'node:test';
import { isRoot, missing } from '../support/requirements.ts';
import { cpuWorkloads, runCpuWorkload } from './cpu-workloads.ts';
import { diskWorkloads, runDiskWorkload } from './disk-workloads.ts';
import { runNetWorkload } from './exchange.ts';
import { Namespace } from './namespace.ts';
import { netWorkloads } from './net-workloads.ts';
import { ProcmeshObserver } from './procmesh-observer.ts';
import type { Result } from './result.ts';
import { type Rig, Workshop } from './rig.ts';
import { worstDeviation } from './sums.ts';

/** Only here are the pids that the kernel tells of, when a process ends, those of /proc; its number is fixed. */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]';
const SEES_EXITS = isRoot() && readlinkSync('/proc/self/ns/pid') === INITIAL_PID_NAMESPACE;

function named<Workload extends { name: string }>(all: readonly Workload[], name: string): Workload {
  const found = all.find((workload) => workload.name === name);
  if (found === undefined) throw new RangeError(`no workload ${name}`);
  return found;
}

/** Every bound that was asked for; of what `ps --sort` names first nothing, for other tests have busy processes too. */
function assertMet(t: TestContext, results: readonly Result[]): void {
  const asked = results.filter(({ met, unit }) => met !== undefined && unit !== '');
  if (asked.length === 0) t.skip('what it uses cannot be told from the use of others here');
  assert.deepEqual(
    asked.filter(({ met }) => !met),
    [],
  );
}

// The two halves run beside one another: each has programs of its own name, and the machine is all the busier.
describe('a real agent', { timeout: 120_000, concurrency: true }, () => {
  let procmesh: ProcmeshObserver;
  let shops: { storms: Workshop; rest: Workshop };
  let namespace: Namespace | undefined;
  let noNetwork: string | undefined;

  before(async () => {
    const wanted = missing(['gcc', 'make', ...(isRoot() ? (['iproute2'] as const) : [])]);
    if (wanted !== undefined) throw new Error(`these tests build programs of their own, ${wanted}`);
    shops = { storms: new Workshop('pms'), rest: new Workshop('pmr') };
    procmesh = await ProcmeshObserver.start(shops.rest.path('data'));
    if ((await procmesh.host())?.netSource !== 'bpf') noNetwork = 'no eBPF here, so not all bytes are known';
    else
      namespace = await Namespace.open().catch((error: Error) => {
        noNetwork = `no right to make a network namespace: ${error.message}`;
        return undefined;
      });
  });

  after(async () => {
    namespace?.close();
    await procmesh?.stop();
    shops?.storms.close();
    shops?.rest.close();
    const { name, off, rounding } = worstDeviation(procmesh?.windows.map(({ deviations }) => deviations) ?? []);
    assert.ok(Math.abs(off) <= rounding, `rows and unattributed are off by ${off} ${name}`);
  });

  describe('charges a storm of short processes', { concurrency: 1 }, () => {
    const storms = cpuWorkloads(0.3);
    const rig = (): Rig => ({ workshop: shops.storms, procmesh, others: {} });

    it('to whoever waits for them', async (t) => {
      assertMet(t, await runCpuWorkload(rig(), named(storms, 'cpu-fork-wait')));
    });

    it('to whoever waits for them, also where the kernel had to drop what it would tell', {
      skip: SEES_EXITS ? false : 'the kernel tells only root of ends, outside of containers',
    }, async (t) => {
      const results = await runCpuWorkload(rig(), named(storms, 'cpu-fork-wait-untold'));
      assertMet(t, results);
      assert.equal(results.at(-1)?.procmesh, 'yes');
    });

    it('to whoever started them, when nobody waits', {
      skip: SEES_EXITS ? false : 'the kernel tells only root of them, outside of containers',
    }, async (t) => {
      assertMet(t, await runCpuWorkload(rig(), named(storms, 'cpu-sigchld-ignored')));
    });
  });

  describe('charges each process with its own bytes', { concurrency: true }, () => {
    const rig = (): Rig => ({ workshop: shops.rest, procmesh, others: {} });

    it('written, and those who reap it with none', async (t) => {
      assertMet(t, await runDiskWorkload(rig(), named(diskWorkloads(0.5), 'disk-writer-direct')));
    });

    for (const [name, role] of [
      ['net-tcp', 'server'],
      ['net-udp-unconnected', 'client'],
    ] as const)
      it(`over the network: ${name}, the ${role} here`, async (t) => {
        if (namespace === undefined) return t.skip(noNetwork);
        const { results } = await runNetWorkload(rig(), namespace, named(netWorkloads(2), name), role);
        assertMet(t, results);
      });
  });
});
