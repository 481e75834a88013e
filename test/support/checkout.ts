import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scratchFolder } from './scratch.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The main file of a copy of this checkout, in which koffi is not installed. */
export function checkoutWithoutKoffi(t: TestContext): string {
  return copyCheckout(t, /^(@koromix|koffi)/);
}

/** The main file of a copy of this checkout, which the test may change; `without` names packages that it has not. */
export function copyCheckout(t: TestContext, without = /^$/): string {
  const copy = scratchFolder(t);
  for (const part of ['src', 'tui', 'conf', 'package.json'])
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  mkdirSync(join(copy, 'node_modules'));
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name.startsWith('.') || without.test(name)) continue;
    symlinkSync(join(ROOT, 'node_modules', name), join(copy, 'node_modules', name));
  }
  return join(copy, 'src', 'main.ts');
}
