import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findLocal } from '../../../src/agent/upgrade/files.ts';
import { installationIn } from '../../../src/agent/upgrade/installation.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { sha256 } from './host.ts';

const NODE = 'what a server sends';
const HASH = sha256(NODE);

/** A host whose runtime of that name holds something else of the same length. */
function setUp(t: TestContext) {
  const installation = installationIn(scratchFolder(t));
  const node = join(installation.runtimes, HASH, 'node');
  mkdirSync(dirname(node), { recursive: true });
  writeFileSync(node, 'what a disk returns');
  const wanted = [{ name: 'Node.js', bytes: NODE.length, sha256: HASH }];
  return { installation, node, wanted };
}

test('a file that lies under the name of what is wanted is read before it is believed', async (t) => {
  const { installation, node, wanted } = setUp(t);
  assert.deepEqual(await findLocal(installation, wanted), new Map());
  writeFileSync(node, NODE);
  assert.deepEqual(await findLocal(installation, wanted), new Map([[HASH, node]]));
});

test('the runtime that this process runs on is not read again', async (t) => {
  const { installation, node, wanted } = setUp(t);
  t.mock.property(process, 'execPath', node);
  assert.deepEqual(await findLocal(installation, wanted), new Map([[HASH, node]]));
});
