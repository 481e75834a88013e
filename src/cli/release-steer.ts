import type { Steering } from '../protocol/operator.ts';
import { steer } from './operate.ts';
import { type OperatorOptions, operatorCommand, operatorTarget, viewerTarget } from './options.ts';
import { watchRelease } from './release-watch.ts';

const DESCRIPTIONS: { [act in Steering]: string } = {
  pause: 'Upgrades no further host until the release is resumed.',
  resume: 'Goes on with a release that is paused, or begins one again that was halted.',
  rollback: 'Brings the release before back to all hosts.',
};

const DONE: { [act in Steering]: string } = {
  pause: 'paused: no further host is upgraded until procmesh release resume',
  resume: 'resumed: the release comes to the hosts again',
  rollback: 'rolling back: the release before comes to all hosts again',
};

interface SteerOptions extends OperatorOptions {
  watch?: boolean;
  viewerTokenFile?: string;
}

/** `procmesh release pause|resume|rollback`. */
export async function steerRelease(act: Steering, args: readonly string[]): Promise<void> {
  const command = operatorCommand(`release ${act}`, DESCRIPTIONS[act])
    .option('--watch', 'stay until the rollout is done; exit code 1 when it is halted')
    .option('--viewer-token-file <file>', "to watch: file with the viewers' token (default: as of procmesh release)");
  const { viewerTokenFile, watch, ...options } = command.parse([...args], { from: 'user' }).opts<SteerOptions>();
  const target = operatorTarget(options);
  // A token that is not there must be missed before anything is done.
  const watched = watch ? viewerTarget({ ...options, tokenFile: viewerTokenFile }) : undefined;
  await steer(target, act);
  process.stdout.write(`${DONE[act]}\n`);
  if (watched !== undefined) await watchRelease(watched, {});
}
