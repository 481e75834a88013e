import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';
import { writeAgentBundle } from './server/release/bundle.ts';

/**
 * Called by `npm pack`: Node strips no types below node_modules, so the package carries JavaScript. The agent is one
 * file without dependencies; the rest is our code alone, its dependencies are installed beside it.
 */
rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/main.ts', { in: 'src/store/sqlite-worker.ts', out: 'sqlite-worker' }],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  target: 'node26',
  format: 'esm',
  logLevel: 'warning',
});
await writeAgentBundle('dist/agent.mjs');
chmodSync('src/procmesh.sh', 0o755);
