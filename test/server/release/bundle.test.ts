import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { writeAgentBundle } from '../../../src/server/release/bundle.ts';
import { scratchFolder } from '../../support/scratch.ts';

describe('the agent’s bundle', { timeout: 60_000 }, () => {
  it('has the driver of MySQL in a file of its own, which is loaded when it is needed', async (t) => {
    const folder = scratchFolder(t);
    await writeAgentBundle(join(folder, 'agent.mjs'));
    assert.deepEqual(readdirSync(folder).sort(), ['agent-alert-table.mjs', 'agent-chunk.mjs', 'agent.mjs']);
    const agent = readFileSync(join(folder, 'agent.mjs'), 'utf8');
    assert.match(agent, /import\("\.\/agent-alert-table\.mjs"\)/);
    assert.doesNotMatch(agent, /mysql_native_password/);
    const { claim } = await import(pathToFileURL(join(folder, 'agent-alert-table.mjs')).href);
    const nowhere = {
      host: '127.0.0.1',
      port: 1,
      user: 'a',
      password: '',
      database: 'b',
      wecomUrl: '',
      webhookUrl: '',
    };
    await assert.rejects(claim(nowhere, 'gone'), { code: 'ECONNREFUSED' });
  });

  it('has the same bytes each time', async (t) => {
    const [first, second] = [scratchFolder(t), scratchFolder(t)];
    for (const folder of [first, second]) await writeAgentBundle(join(folder, 'agent.mjs'));
    for (const file of readdirSync(first))
      assert.deepEqual(readFileSync(join(first, file)), readFileSync(join(second, file)), file);
  });
});
