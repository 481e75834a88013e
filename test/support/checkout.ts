import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scratchFolder } from './scratch.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The main file of a copy of this checkout, in which koffi is not installed. */
export function checkoutWithoutKoffi(t: TestContext): string {
  return join(copyCheckout(t, /^(@koromix|koffi)/), 'src', 'main.ts');
}

/** The folder of a copy of this checkout, without the packages of such names. */
export function copyCheckout(t: TestContext, missing?: RegExp): string {
  const copy = scratchFolder(t);
  for (const part of ['src', 'tui', 'conf', 'package.json'])
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  mkdirSync(join(copy, 'node_modules'));
  for (const name of readdirSync(join(ROOT, 'node_modules')))
    if (!name.startsWith('.') && !missing?.test(name))
      symlinkSync(join(ROOT, 'node_modules', name), join(copy, 'node_modules', name));
  return copy;
}
