import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AGENT_ENVIRONMENT, AGENT_NODE_OPTIONS } from '../../src/server/release/agent-process.ts';
import { writeAgentBundle } from '../../src/server/release/bundle.ts';
import { bringKoffi } from '../../src/server/release/native.ts';
import { writeToken } from '../support/token-file.ts';
import { Sink } from './sink.ts';
import { cpuMs, ended, ROOT, rssMb, type Workshop } from './tools.ts';

/** Starts the agent as `procmesh start` does, from its bundle. */
export async function startAgent(
  workshop: Workshop,
  server: { url: string; pin: string; tokenFile?: string },
): Promise<ChildProcess & { pid: number }> {
  const bundle = join(workshop.dir, 'agent.mjs');
  await writeAgentBundle(bundle);
  bringKoffi(workshop.dir);
  const dataDir = join(workshop.dir, `data-${Date.now()}`);
  mkdirSync(dataDir);
  const tokenFile = server.tokenFile ?? writeToken(dataDir, hostname());
  const args = [
    ...AGENT_NODE_OPTIONS,
    bundle,
    '--config',
    `${ROOT}conf/config.ini`,
    '--server',
    server.url,
    '--pin',
    server.pin,
    '--token-file',
    tokenFile,
  ];
  const env = {
    ...process.env,
    ...AGENT_ENVIRONMENT,
    PROCMESH_GLOBAL_DATA_DIR: dataDir,
    PROCMESH_GLOBAL_LOG_FILE: join(dataDir, 'log'),
  };
  return spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit'] }) as ChildProcess & {
    pid: number;
  };
}

/** Milliseconds of CPU of one whole sample: scan, attribution, encoding, sending. */
export async function sampleCpuMs(workshop: Workshop, samples: number): Promise<number> {
  const sink = new Sink(200);
  const agent = await startAgent(workshop, await sink.open());
  await sink.wait(30);
  const before = cpuMs(agent.pid);
  await sink.wait(samples);
  const used = (cpuMs(agent.pid) - before) / samples;
  await ended(agent, () => agent.kill());
  sink.close();
  return used;
}

/** The agent at its usual pace beside a program that does nothing but hold a WebSocket. */
export async function footprint(
  workshop: Workshop,
  samples: number,
): Promise<{ cpuPercent: number; rssMb: number; bareRssMb: number; bytesPerBeat: number }> {
  const sink = new Sink(2_000);
  const server = await sink.open();
  const bare = spawn(process.execPath, [`${ROOT}test/bench/bare.mjs`, server.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(bare.stdout, 'data');
  const agent = await startAgent(workshop, server);
  await sink.wait(3);
  const { beats, bytes } = sink;
  const before = cpuMs(agent.pid);
  const startedAt = performance.now();
  await sink.wait(samples);
  const cpuPercent = (100 * (cpuMs(agent.pid) - before)) / (performance.now() - startedAt);
  const result = {
    cpuPercent,
    rssMb: rssMb(agent.pid),
    bareRssMb: rssMb(bare.pid ?? 0),
    bytesPerBeat: (sink.bytes - bytes) / (sink.beats - beats),
  };
  await ended(agent, () => agent.kill());
  await ended(bare, () => bare.kill());
  sink.close();
  return result;
}
