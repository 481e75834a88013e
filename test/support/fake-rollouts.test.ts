import { rolloutContract } from '../store/contract-rollout.ts';
import { FakeFleet } from './fake-fleet.ts';
import { FakeRollouts } from './fake-rollouts.ts';

rolloutContract('fake', async () => {
  const fleet = new FakeFleet();
  return { fleet, rollouts: new FakeRollouts(fleet), close: async () => undefined };
});
