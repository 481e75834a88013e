import { Problem } from '../../problem.ts';
import type { Steering } from '../../protocol/operator.ts';
import type { Rollout, RolloutStore } from '../../store/rollout.ts';
import type { ReleaseSource } from '../release/release-source.ts';
import { isReturn, releaseBefore, releaseName } from './lineage.ts';
import type { RolloutList } from './rollout-list.ts';

export interface SteerOptions {
  serverName: string;
  rollouts: RolloutList;
  store: RolloutStore;
  source: Pick<ReleaseSource, 'has'>;
}

/**
 * Does with the newest rollout what an operator asks for; whoever has the duty goes on from there. Resolves when it is in
 * the store. @throws Problem `ERR_RELEASE` when there is nothing that it could be done with, or the store's.
 */
export async function steer(act: Steering, options: SteerOptions): Promise<void> {
  const { rollouts } = options;
  await rollouts.refresh();
  const { newest } = rollouts;
  if (newest === undefined) throw refusal('nothing was released yet');
  if (act === 'pause') await pause(newest, options);
  else if (act === 'resume') await resume(newest, options);
  else await rollBack(newest, options);
  await rollouts.refresh();
}

async function pause(newest: Rollout, options: SteerOptions): Promise<void> {
  if (newest.state === 'running') await advance(newest, 'paused', options);
  else if (newest.state !== 'paused') throw refusal(`release ${nameOf(newest, options)} is ${newest.state}`);
}

async function resume(newest: Rollout, options: SteerOptions): Promise<void> {
  const { rollouts, source, serverName } = options;
  if (newest.state === 'running') return;
  if (newest.state === 'paused') {
    await advance(newest, 'running', options);
    return;
  }
  // What hosts have gone back to since does not count.
  const all = rollouts.all();
  const left = all.find((rollout) => !isReturn(all, rollout));
  if (left === undefined || left.state === 'done') throw refusal(`release ${nameOf(newest, options)} is done`);
  const name = nameOf(left, options);
  if (!source.has(left.hash)) throw refusal(`${serverName} does not have release ${name}: ask a server that has it`);
  await release(left, `an operator began release ${name} again`, newest, options);
}

async function rollBack(newest: Rollout, options: SteerOptions): Promise<void> {
  const { rollouts, source, serverName } = options;
  const before = releaseBefore(rollouts.all(), newest);
  const name = nameOf(newest, options);
  if (before === undefined) throw refusal(`before release ${name} there was none that all hosts had`);
  if (!source.has(before.hash))
    throw refusal(`${serverName} does not have release ${nameOf(before, options)} any more: ask a server that has it`);
  await release(before, `an operator rolled release ${name} back`, newest, options);
}

async function advance({ serial, state, wave }: Rollout, to: Rollout['state'], { store }: SteerOptions): Promise<void> {
  if (!(await store.advance(serial, { state, wave }, { state: to, wave }))) throw overtaken();
}

async function release(
  { version, hash }: Rollout,
  reason: string,
  { serial }: Rollout,
  { store }: SteerOptions,
): Promise<void> {
  const act = { version, hash, state: 'running', wave: 0, reason } as const;
  if ((await store.release(act, serial)) === undefined) throw overtaken();
}

function nameOf(rollout: Rollout, { rollouts }: SteerOptions): string {
  return releaseName(rollouts.all(), rollout);
}

function refusal(message: string): Problem {
  return new Problem('ERR_RELEASE', message);
}

function overtaken(): Problem {
  return refusal('the rollout has gone on meanwhile: look at it and try again');
}
