import { ReleaseMesh } from './e2e/release-mesh.ts';
const afters: (() => unknown)[] = [];
const t: any = { after: (f: any) => afters.unshift(f), diagnostic: console.log };
const T0 = performance.now();
const log = (...a: any[]) => console.log(((performance.now() - T0) / 1000).toFixed(1), ...a);
const mesh = await ReleaseMesh.open(t, 3, { PROCMESH_GLOBAL_INTERVAL_TIME: '5', PROCMESH_GLOBAL_SAMPLE_TIME: '1' });
try {
  log('open');
  const a = await mesh.restart('1.0');
  a.stderr.line((l) => (process.stderr.write('S ' + l.slice(0, 300) + '\n'), false)).catch(() => {});
  log('server');
  await mesh.deploy();
  log('deployed', await mesh.releases(), await mesh.pids());
  console.log(await mesh.run('release'));
  mesh.change('src/agent/pace.ts', 'export class Pace {', 'export class Pace {\n  readonly zz = 1;');
  const b = await mesh.restart('2.0');
  b.stderr.line((l) => { return false; }).catch(() => {});
  log('restarted');
  for (let i = 0; i < 40; i++) {
    await new Promise((r) => setTimeout(r, 1500));
    const s = await mesh.status().catch((e) => e.message);
    log(JSON.stringify(s).slice(0, 600));
    if (s.state === 'done' && s.version === '2.0') break;
    if (s.state === 'halted') break;
  }
  log(await mesh.releases(), await mesh.pids());
  console.log((await mesh.run('release')).stdout);
  console.log(b.stderr.text);
  console.log(mesh.history());
  console.log(await mesh.hosts[0].sh('cat /opt/procmesh/data/agent.log | tail -30; cat /opt/procmesh/data/failed; ls -la /opt/procmesh /opt/procmesh/releases /opt/procmesh/data'));
} finally {
  for (const f of afters) await f();
  process.exit(0);
}
