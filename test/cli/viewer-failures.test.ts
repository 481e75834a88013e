import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { assertFailed, freePort, procmesh } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';
import { opened } from './opened.ts';

describe('a viewer’s command fails in one line and with exit code', { concurrency: 2, timeout: 60_000 }, () => {
  it('1 when there is no server', async (t) => {
    const { target } = await opened(t);
    const url = `ws://127.0.0.1:${await freePort()}`;
    for (const command of ['ps', 'hosts'])
      assertFailed(
        await procmesh(t, [command, ...target, '--server', url]),
        1,
        new RegExp(`no answer from the server at ${url}.*nothing listens there.*--server`),
      );
  });

  it('1 when the server is another program', async (t) => {
    const { target } = await opened(t);
    const other = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
    t.after(() => other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    const url = `ws://127.0.0.1:${(other.address() as { port: number }).port}`;
    assertFailed(await procmesh(t, ['ps', ...target, '--server', url]), 1, /the server answers 200/);
  });

  it('1 when the token is wrong, is rubbish, or is not there', async (t) => {
    const { target } = await opened(t);
    const folder = scratchFolder(t);
    for (const [content, message] of [
      ['x'.repeat(40), /refuses the token.*--token-file/],
      ['two\nlines', /Invalid character in header/],
      [undefined, /token .*wrong\.token cannot be read \(ENOENT\).*--token-file/],
    ] as const) {
      const file = join(folder, `${content === undefined ? 'none-' : ''}wrong.token`);
      if (content !== undefined) writeFileSync(file, content);
      assertFailed(await procmesh(t, ['ps', ...target, '--token-file', file]), 1, message);
    }
  });

  it('1 when no host has the name', async (t) => {
    const { run } = await opened(t);
    assertFailed(await run('ps', '--host', 'nosuch', '--json'), 1, /no host is called nosuch: procmesh hosts lists/);
  });

  it('1 when the store cannot answer', async (t) => {
    const { server, run } = await opened(t);
    server.store.onRead = async () => {
      throw new Error('the store is damaged');
    };
    assertFailed(await run('ps', '--at', '-5m'), 1, /the store is damaged/);
  });

  it('2 when the filter cannot be read', async (t) => {
    const { run } = await opened(t);
    assertFailed(await run('ps', '--filter', '(mysqld'), 2, /the filter "\(mysqld" cannot be read/);
  });
});
