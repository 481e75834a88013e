import { fleetContract } from '../store/contract-fleet.ts';
import { FakeFleet } from './fake-fleet.ts';

fleetContract('fake', async () => {
  let nowMs = Date.UTC(2026, 6, 1);
  const fake = new FakeFleet(() => nowMs);
  return {
    fleet: fake,
    addByHand: (rshost, istate) => void fake.rows.push({ rshost, istate: istate as 1 }),
    pass: (ms) => {
      nowMs += ms;
    },
    close: async () => undefined,
  };
});
