import { afterEach, beforeEach, describe } from 'node:test';
import type { Store } from '../../src/store/store.ts';
import { historyContract } from './contract-history.ts';
import { keepingContract } from './contract-keeping.ts';

/** Registers tests on the store that is open, and empty, when each of them begins. */
export type ContractPart = (opened: { store: Store }) => void;

/** What every store does; an adapter's own tests call this with a way to open an empty one. */
export function storeContract(
  adapter: string,
  openEmpty: () => Promise<{ store: Store; remove: () => void | Promise<void> }>,
): void {
  describe(`store contract, ${adapter}`, () => {
    let current: Awaited<ReturnType<typeof openEmpty>>;
    beforeEach(async () => {
      current = await openEmpty();
    });
    afterEach(async () => {
      await current.store.close();
      await current.remove();
    });

    const opened = {
      get store(): Store {
        return current.store;
      },
    };
    keepingContract(opened);
    historyContract(opened);
  });
}
