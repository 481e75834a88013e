import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Finished, procmesh } from '../support/command.ts';
import { aRow, type FakeAgent } from '../support/fake-agent.ts';
import { scratchFolder } from '../support/scratch.ts';
import { openServer, SECRETS, type TestServer } from '../support/test-server.ts';

/** What a process may call itself to fool a terminal. */
export const NASTY = '\x1b[31mred\x1b[0m\x1b]0;title\x07 a\nb \x9b2J \u202egnp.exe';

export interface Opened {
  server: TestServer;
  agent: FakeAgent;
  /** Options that lead to the server. */
  target: string[];
  run: (...args: string[]) => Promise<Finished>;
}

/** A server with one host that runs two processes, and the command line pointed at it. */
export async function opened(t: TestContext, port?: number): Promise<Opened> {
  const server = await openServer(t, { port });
  const agent = await server.agent('web-1');
  agent.usage = { ...agent.usage, cpuPercent: 75, unattributed: { cpuPercent: 5.25 } };
  agent.sample([aRow('web-1', 11, 60), aRow('web-1', 12, 9.75, { instance: 'cron', user: 'root', cmdline: NASTY })]);
  await agent.wire.settled();
  const tokenFile = join(scratchFolder(t), 'token');
  writeFileSync(tokenFile, `${SECRETS.viewer}\n`);
  const target = ['--server', server.url, '--token-file', tokenFile];
  const run = ([command, ...rest]: string[]) => procmesh(t, [command ?? '', ...target, ...rest], { FORCE_COLOR: '3' });
  return { server, agent, target, run: (...args) => run(args) };
}
