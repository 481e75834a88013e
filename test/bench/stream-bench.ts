import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ownPin } from '../../src/cli/pin.ts';
import { Client } from '../../src/client/client.ts';
import { readBody } from '../support/https.ts';
import { startAgent } from './agent-bench.ts';
import { ended, ROOT, type Workshop } from './tools.ts';

/** From the beginning of a sample on the agent to its rows in a viewer, through a real server, in ms. */
export async function sampleToViewer(
  workshop: Workshop,
  samples: number,
): Promise<{ p50: number; p99: number; loopLagMaxMs: number }> {
  const dataDir = join(workshop.dir, 'stream');
  mkdirSync(dataDir, { recursive: true });
  const env = {
    ...process.env,
    PROCMESH_GLOBAL_DATA_DIR: dataDir,
    PROCMESH_SERVER_LISTEN: '127.0.0.1:0',
    PROCMESH_GLOBAL_SAMPLE_TIME: '0.2',
    PROCMESH_GLOBAL_INTERVAL_TIME: '5',
  };
  const server = spawn(process.execPath, [`${ROOT}src/main.ts`, 'server', '--with-agent'], {
    env,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const [{ port }] = (await once(server, 'message')) as [{ port: number }];
  const url = `wss://127.0.0.1:${port}`;
  const pin = ownPin({ tls: 'auto', dataDir }) ?? '';
  const agent = await startAgent(workshop, { url, pin, tokenFile: join(dataDir, 'agent.token') });
  const client = new Client({
    url,
    pin,
    token: readFileSync(join(dataDir, 'viewer.token'), 'utf8').trim(),
  });
  const delays: number[] = [];
  const enough = Promise.withResolvers<void>();
  let skipped = 0;
  const lagMaxMs = async (): Promise<number> => {
    const metrics = await readBody(`https://127.0.0.1:${port}/metrics`);
    return 1000 * Number(/^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(metrics)?.[1]);
  };
  client.subscribe({ view: 'processes', sort: 'cpu', limit: 50 }, (answer) => {
    if (answer.type !== 'rows' || answer.totals.length === 0) return;
    // The first answers belong to the start.
    skipped += 1;
    // Asking for the lag starts it anew: what loading the server took is no block of its work.
    if (skipped === 5) void lagMaxMs();
    if (skipped % 10 === 0) askThePast(client);
    if (skipped > 5) delays.push(Date.now() - Date.parse(answer.at));
    if (delays.length >= samples) enough.resolve();
  });
  client.connect();
  await enough.promise;
  const loopLagMaxMs = await lagMaxMs();
  client.close();
  await ended(agent, () => agent.kill());
  await ended(server, () => server.kill());
  delays.sort((a, b) => a - b);
  return {
    p50: delays[Math.floor(delays.length / 2)] ?? Number.NaN,
    p99: delays[Math.floor(delays.length * 0.99)] ?? Number.NaN,
    loopLagMaxMs,
  };
}

/** History is written and read while the live stream is measured. */
function askThePast(client: Client): void {
  const past = client.subscribe(
    { view: 'processes', sort: 'cpu', limit: 1_000, atMs: Date.now(), windowMs: 3_600_000 },
    () => past.close(),
  );
}

/** Seconds from `npm start` on a terminal to its first frame with processes and the unattributed row under them. */
export async function startToFirstFrame(workshop: Workshop, options: { warm: boolean }): Promise<number> {
  const dataDir = join(workshop.dir, `start-${Date.now()}`);
  if (!options.warm) rmSync(`${ROOT}node_modules/.cache/procmesh`, { recursive: true, force: true });
  const env = {
    ...process.env,
    TERM: 'xterm-256color',
    LANG: 'C.UTF-8',
    PROCMESH_GLOBAL_DATA_DIR: dataDir,
    PROCMESH_SERVER_LISTEN: '127.0.0.1:0',
  };
  const startedAt = performance.now();
  const terminal = spawn('script', ['-qfec', 'stty cols 120 rows 40; npm start', '/dev/null'], {
    cwd: ROOT,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let screen = '';
  const shown = Promise.withResolvers<number>();
  terminal.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString();
    if (/procmesh[\s\S]*unattributed/.test(screen)) shown.resolve((performance.now() - startedAt) / 1000);
  });
  terminal.once('exit', () => shown.reject(new Error(`npm start ended: ${screen.slice(-500)}`)));
  const seconds = await shown.promise;
  await ended(terminal, () => terminal.stdin.write('q'));
  return seconds;
}
