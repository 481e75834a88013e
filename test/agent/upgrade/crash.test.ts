import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readTrial, takeBack } from '../../../src/agent/upgrade/trial.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { Host, isWhole, script, seen, upgradeTo } from './host.ts';

const CHANGES = ['chmod', 'copyFile', 'link', 'mkdir', 'open', 'rename', 'rm', 'symlink'] as const;
/** More than an upgrade makes. */
const MOST_CHANGES = 300;

/** The disk of a process that dies: it comes to so many changes of it, and to nothing ever after. */
class Deaths {
  #left = Number.POSITIVE_INFINITY;
  #died: (() => void) | undefined;

  constructor(t: TestContext) {
    for (const name of CHANGES) {
      const original = fs[name] as (...args: unknown[]) => Promise<unknown>;
      t.mock.method(fs, name, (async (...args: unknown[]) => {
        await this.change();
        const result = await original(...args);
        // A process dies here, not the machine: nothing has to reach the disk, which takes its time.
        if (name === 'open') (result as fs.FileHandle).sync = async () => undefined;
        return result;
      }) as never);
    }
    syncBuiltinESMExports();
    t.after(() => {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    });
  }

  async change(): Promise<void> {
    this.#left -= 1;
    if (this.#left >= 0) return;
    this.#died?.();
    await new Promise(() => undefined);
  }

  /** @returns whether the work was over before. */
  async after(changes: number, work: () => Promise<void>): Promise<boolean> {
    const died = new Promise<false>((resolve) => {
      this.#died = () => resolve(false);
    });
    this.#left = changes;
    const isOver = await Promise.race([died, work().then(() => true)]);
    this.#left = Number.POSITIVE_INFINITY;
    return isOver;
  }
}

for (const then of ['confirm', 'revert'] as const) {
  test(`an agent that dies at any step up to the ${then} leaves a release that runs`, {
    timeout: 60_000,
  }, async (t) => {
    const deaths = new Deaths(t);
    const template = new Host(t);
    const second = template.next('2.0', 6, `${script('exit 0')}#${'x'.repeat(40_000)}`);
    const old = template.first.manifest.hash;
    const { hash } = second.manifest;
    const outcomes = new Set<string>();
    let changes = 0;
    for (let isOver = false; !isOver; changes += 1) {
      assert.ok(changes < MOST_CHANGES);
      const folder = join(scratchFolder(t), 'host');
      cpSync(template.installation.folder, folder, { recursive: true, verbatimSymlinks: true });
      const host = new Host(t, folder, template);
      const { installation } = host;
      isOver = await deaths.after(changes, async () => {
        await host.push(upgradeTo(second));
        await deaths.change();
        const upgrader = host.start(second);
        await (then === 'confirm' ? upgrader.confirm(6) : upgrader.revert(6, 'it is slow'));
      });
      // As its launcher does before it starts an agent again.
      const trial = readTrial(installation);
      if (trial !== undefined) await takeBack(installation, trial, 'it died');
      const { current, failed, trial: left } = seen(installation);
      const at = `after ${changes} changes: ${JSON.stringify({ current, failed, trial })}`;
      assert.equal(left, undefined, at);
      assert.ok(isWhole(installation, current), at);
      assert.ok(isWhole(installation, old), at);
      if (trial !== undefined || then === 'revert') assert.equal(current, old, at);
      else if (isOver) assert.equal(current, hash, at);
      outcomes.add(`${current === hash ? 'new' : 'old'}${failed === undefined ? '' : ', failed'}`);
      if (current === hash) continue;
      // Whatever was left, the next attempt gets through.
      const again = new Host(t, folder, template);
      await again.push(upgradeTo(second));
      assert.deepEqual([again.told.at(-1), seen(installation).current], ['starting', hash], at);
      assert.ok(isWhole(installation, hash), at);
    }
    assert.ok(changes > 40, `${changes} changes`);
    assert.deepEqual([...outcomes].sort(), then === 'confirm' ? ['new', 'old', 'old, failed'] : ['old', 'old, failed']);
  });
}
