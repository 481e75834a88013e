import { readFileSync } from 'node:fs';

/** What no two boots of a machine share, `249dc5a9-24fa-4664-829f-8f3f32617250`; random(4). @throws when it is not there. */
export function readBootId(procRoot: string): string {
  return readFileSync(`${procRoot}/sys/kernel/random/boot_id`, 'latin1').trim();
}
