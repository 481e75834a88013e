import type { TestContext } from 'node:test';
import { procmesh } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';

/** What a doctor finds, `state, found, mend` by check; by itself there is no server, no data and no settings of ssh. */
export async function examined(t: TestContext, env: NodeJS.ProcessEnv, ...args: string[]) {
  const { code, stdout, stderr } = await procmesh(t, ['doctor', '--json', ...args], {
    HOME: scratchFolder(t),
    SSH_AUTH_SOCK: undefined,
    PROCMESH_GLOBAL_DATA_DIR: scratchFolder(t),
    PROCMESH_SERVER_LISTEN: '127.0.0.1:1',
    ...env,
  });
  const { checks } = JSON.parse(stdout) as { checks: { check: string; state: string; found: string; mend?: string }[] };
  const found = new Map(
    checks.map(({ check, state, found, mend }) => [check, [state, found, ...(mend ? [mend] : [])].join(', ')]),
  );
  return { code, found, said: stdout + stderr, stderr };
}
