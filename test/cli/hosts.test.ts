import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { launch } from '../support/command.ts';
import { opened } from './opened.ts';

describe('procmesh hosts', { concurrency: 2, timeout: 60_000 }, () => {
  it('prints a table of the hosts', async (t) => {
    const { agent, run } = await opened(t);
    agent.beat({ culprits: { cpu: [{ instance: 'mysqld:3307', pid: 11, value: 60 }] }, message: 'disk use is hidden' });
    await agent.wire.settled();
    const { code, stdout, stderr } = await run('hosts');
    assert.deepEqual([code, stderr], [0, '']);
    const [head, row, ...more] = stdout.split('\n');
    assert.match(head ?? '', /^HOST +STATUS +CPU% +CORES +MEM +OF /);
    assert.match(row ?? '', /^web-1 +online +75\.0 +8 .* 5\.3 +mysqld:3307 60\.0% {2}disk use is hidden$/);
    assert.deepEqual(more, ['']);
  });

  it('--watch --json prints a line for each change', async (t) => {
    const { server, agent, target } = await opened(t);
    const watching = launch(t, ['hosts', '--watch', '--json', ...target], {});
    await watching.stdout.line((line) => JSON.parse(line).rows[0].status === 'online');
    agent.wire.socket.terminate();
    await watching.stdout.line((line) => JSON.parse(line).rows[0].status === 'offline');
    await server.agent('web-2');
    await watching.stdout.line((line) => JSON.parse(line).rows.length === 2);
    assert.equal((await watching.kill('SIGTERM')).code, 0);
  });
});
