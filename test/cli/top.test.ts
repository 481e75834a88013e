import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Command, cleanEnvironment, MAIN } from '../support/command.ts';
import { opened } from './opened.ts';

describe('procmesh top', { timeout: 60_000 }, () => {
  it('begins at a time of the past', { skip: !existsSync('/usr/bin/script') }, async (t) => {
    const { server, target } = await opened(t);
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    server.store.onRead = async () => resolve();
    const env = cleanEnvironment({ TERM: 'xterm-256color' });
    const line = `exec '${process.execPath}' '${MAIN}' top --at 2026-07-01T03:12:00Z '${target.join("' '")}'`;
    const stdio = ['pipe', 'pipe', 'pipe'] as const;
    const top = new Command(t, '/usr/bin/script', ['-qec', line, '/dev/null'], { env, stdio: [...stdio] });
    await asked;
    assert.deepEqual(server.store.questions, [{ atMs: Date.UTC(2026, 6, 1, 3, 12) }]);
    top.process.stdin?.write('q');
    assert.equal((await top.finished).code, 0);
  });
});
