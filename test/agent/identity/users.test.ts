import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parsePasswd, Users } from '../../../src/agent/identity/users.ts';
import { scratchFolder } from '../../support/scratch.ts';

test('parses names by number, of several the first, and passes over what is no line', () => {
  const text =
    'root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\n+::::::\nmysql:x:999:999::/v:/bin/false\n\nx\n';
  assert.deepEqual(
    parsePasswd(text),
    new Map([
      [0, 'root'],
      [999, 'mysql'],
    ]),
  );
});

test('names users, and a number without a name by itself', (t) => {
  const path = join(scratchFolder(t), 'passwd');
  writeFileSync(path, 'mysql:x:999:999::/v:/bin/false\n');
  const users = new Users(path);
  assert.equal(users.name(999, 0), 'mysql');
  assert.equal(users.name(1_000, 0), '1000');
});

test('looks a missing name up again after a minute, and keeps names when the file is gone', (t) => {
  const path = join(scratchFolder(t), 'passwd');
  writeFileSync(path, 'root:x:0:0::/:/bin/sh\n');
  const users = new Users(path);
  assert.equal(users.name(999, 0), '999');
  writeFileSync(path, 'root:x:0:0::/:/bin/sh\nmysql:x:999:999::/v:/bin/false\n');
  assert.equal(users.name(999, 60_000), '999');
  assert.equal(users.name(999, 60_001), 'mysql');
  rmSync(path);
  assert.equal(users.name(1_000, 200_000), '1000');
  assert.equal(users.name(999, 200_000), 'mysql');
});

test('knows numbers only where there is no such file', (t) => {
  assert.equal(new Users(join(scratchFolder(t), 'none')).name(0, 0), '0');
});
