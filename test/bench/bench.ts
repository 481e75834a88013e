import { isRoot, missing } from '../support/requirements.ts';
import { footprint, sampleCpuMs } from './agent-bench.ts';
import { makeStorm, reapedWriter, shellStorm } from './attribution-bench.ts';
import { exitStorm } from './exits-bench.ts';
import { activeProcesses, shortConnections } from './network-bench.ts';
import { Results } from './results.ts';
import { readingOfSockets } from './sockets-bench.ts';
import { sampleToViewer, startToFirstFrame } from './stream-bench.ts';
import { median, numberFrom, ROOT, startProcesses, Workshop } from './tools.ts';

const ROUNDS = 5;
const results = new Results();

function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

const wanted = missing(['gcc', 'make', 'sysstat', 'atop', 'nethogs', 'iproute2']);
if (wanted !== undefined || !isRoot()) {
  progress(wanted ?? 'wants root: for eBPF, and to hear of processes that end');
  process.exit(1);
}
const workshop = new Workshop();
try {
  progress('compiling the references');
  const [processes, scan, rusage] = ['processes', 'scan', 'rusage'].map((name) => workshop.compile(name)) as [
    string,
    string,
    string,
  ];

  for (const count of [500, 2_000]) {
    progress(`scanning ${count} processes`);
    const crowd = await startProcesses(processes, count);
    const rounds = String(60_000 / count);
    const times = { open: [] as number[], kept: [] as number[], procmesh: [] as number[] };
    for (let round = 0; round < ROUNDS; round += 1) {
      times.open.push(numberFrom(scan, 'open', rounds) / 1000);
      times.procmesh.push(numberFrom(process.execPath, `${ROOT}test/bench/scan-procmesh.ts`, '8192', rounds) / 1000);
      times.kept.push(numberFrom(scan, 'kept', rounds) / 1000);
    }
    const own = median(times.procmesh);
    results.compare(
      `scan of stat + io, ${count} processes, CPU`,
      own,
      ['C open/read/close', median(times.open)],
      0.8,
      'ms',
    );
    results.compare(
      `scan of stat + io, ${count} processes, CPU`,
      own,
      ['C kept descriptors', median(times.kept)],
      1.5,
      'ms',
    );

    if (count === 2_000) {
      progress('whole samples of the agent');
      const sample = await sampleCpuMs(workshop, 100);
      results.compare(
        'whole agent sample, 2000 processes, CPU',
        sample,
        ['C open/read/close', median(times.open)],
        1.2,
        'ms',
      );
      progress('pidstat and atop');
      // Per iteration: several less one, so that the start of the tool does not count.
      const pidstat =
        (numberFrom(rusage, 'pidstat', '-dur', '1', '4') - numberFrom(rusage, 'pidstat', '-dur', '1', '1')) / 3000;
      const atop =
        (numberFrom(rusage, 'atop', '-P', 'PRG,PRC,PRM,PRD', '1', '4') -
          numberFrom(rusage, 'atop', '-P', 'PRG,PRC,PRM,PRD', '1', '1')) /
        3000;
      results.compare('whole agent sample, 2000 processes, CPU', sample, ['pidstat -dur', pidstat], 1, 'ms');
      results.compare('whole agent sample, 2000 processes, CPU', sample, ['atop', atop], 1, 'ms');
    } else {
      progress('the agent at its usual pace, for a minute');
      const agent = await footprint(workshop, 30);
      results.bound('agent, 2 s samples, 500 processes, CPU of one core', agent.cpuPercent, '%', 1);
      results.compare(
        'agent, 2 s samples, 500 processes, RSS',
        agent.rssMb,
        ['bare node + ws', agent.bareRssMb],
        1.3,
        'MB',
      );
      results.note('agent, unwatched, sent per sample', `${Math.round(agent.bytesPerBeat)} bytes`);
    }
    await crowd.end();
  }

  for (const rate of [2_000, 10_000]) {
    progress(`${rate} exits a second`);
    const storm = await exitStorm(workshop, rate);
    const name = `taskstats at ${Math.round(storm.perSec)} exits/s`;
    if (rate === 2_000) results.bound(`${name}, CPU of one core`, storm.cpuPercent, '%', 3);
    else results.note(`${name}, CPU of one core`, `${storm.cpuPercent.toFixed(2)} %`);
    if (rate === 2_000) results.bound(`${name}, not heard of`, storm.lost, 'exits', 0);
    else results.note(`${name}, not heard of`, `${storm.lost} exits, ${storm.overruns} overruns counted`);
  }
  progress('processes that use the network');
  const active = await activeProcesses(workshop);
  results.bound(`reading the network of ${active.processes} active processes, CPU`, active.readingMs, 'ms', 2);
  results.bound(
    'the same: eBPF program, per send or receive of a process that has just woken up',
    active.nsPerCall,
    'ns',
    300,
  );
  progress('short connections, and nethogs');
  const short = await shortConnections(workshop);
  const connections = `${Math.round(short.perSec)} short connections/s`;
  results.bound(`${connections}: eBPF program, per send or receive`, short.nsPerCall, 'ns', 300);
  results.compare(
    `${connections}: reading and eBPF programs, CPU per second`,
    short.ownMs,
    ['nethogs at both ends', short.nethogsMs],
    1 / 20,
    'ms',
  );

  progress('10,000 sockets, and ss');
  for (const row of await readingOfSockets(rusage)) results.compare(...row);

  progress('storms of short processes');
  for (const [name, storm] of [
    ['four shells, /bin/true in a loop', await shellStorm(10)],
    ['make -j4 of tiny jobs', await makeStorm(workshop, 10)],
  ] as const) {
    const rate = `${Math.round(storm.processesPerSec)} processes/s`;
    results.bound(`${name}, ${rate}: unattributed share of the host's CPU`, storm.unattributedPercent, '%', 5);
    results.note(`${name}: share charged to what started it and lives`, `${storm.culpritsPercent.toFixed(1)} %`);
  }
  progress('a writer that is reaped');
  const writer = await reapedWriter(workshop);
  results.note('child that wrote 100 MB and was reaped: charged to it', `${writer.childMb.toFixed(1)} MB`);
  results.bound('the same: most that its parent is charged in one window', writer.parentMostMb, 'MB', 1);

  progress('sample to viewer');
  const stream = await sampleToViewer(workshop, 200);
  results.bound('sample to viewer, p50', stream.p50, 'ms', 50);
  results.bound('sample to viewer, p99', stream.p99, 'ms', 50);
  results.bound('server, longest block of its loop meanwhile', stream.loopLagMaxMs, 'ms', 50);
  progress('npm start');
  results.bound(
    'npm start to the first live frame, first start after an install',
    await startToFirstFrame(workshop, { warm: false }),
    's',
    2,
  );
  const later = [];
  for (let start = 0; start < 3; start += 1) later.push(await startToFirstFrame(workshop, { warm: true }));
  results.bound('npm start to the first live frame, later starts', median(later), 's', 2);
} finally {
  workshop.close();
}

results.print(process.argv.includes('--markdown'));
