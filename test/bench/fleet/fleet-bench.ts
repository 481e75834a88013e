import { missing } from '../../support/requirements.ts';
import { TestNetwork } from '../../support/test-hosts.ts';
import { Results } from '../results.ts';
import { alertTimes, printAlertTimes } from './alert-bench.ts';
import { BenchMesh, type BenchServer } from './bench-mesh.ts';
import { deployments } from './deploy-bench.ts';
import { Herd, type Stampede } from './herd-bench.ts';
import { detection, failOver } from './liveness-bench.ts';

const agents = Number(process.argv.find((argument) => /^\d+$/.test(argument)) ?? 1_000);
const results = new Results();

function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

async function measureLiveness(mesh: BenchMesh): Promise<void> {
  progress('agents that are killed');
  const crash = await detection(mesh, 'SIGKILL');
  results.bound('agent killed (kill -9) until a viewer sees it offline, the slowest of 5', crash.worstS, 's', 1);
  progress('agents that are stopped');
  const silence = await detection(mesh, 'SIGSTOP');
  results.bound('agent silent (SIGSTOP) until a viewer sees it offline, the slowest of 5', silence.worstS, 's', 10);
  results.note('the same, the fastest', `${silence.bestS.toFixed(2)} s`);
  progress('an agent whose server is killed');
  const moved = await failOver(mesh);
  results.bound('server killed (kill -9) until its agent streams at another one', moved.tookS, 's', 5);
  results.bound(`intervals lost of ${moved.measured} meanwhile, one a second`, moved.lost, '', 0);
  results.bound('time that no interval covers, or two do', Math.abs(moved.gapsMs), 'ms', 0);
}

async function measureDeployments(mesh: BenchMesh, network: TestNetwork): Promise<void> {
  progress('hosts that are deployed to');
  const { withRuntimeS, oneS, manyS, atOnce, removedS } = await deployments(mesh, network);
  results.bound('row inserted by SQL until the host streams, runtime there', oneS, 's', 5);
  results.note('the same, runtime copied', `${withRuntimeS.toFixed(2)} s`);
  results.compare(`${atOnce} rows inserted at once until all stream, runtime there`, manyS, ['one row', oneS], 3, 's');
  results.note(`${atOnce + 1} rows set to 0 until nothing is left on the hosts`, `${removedS.toFixed(2)} s`);
}

function reportStampede(what: string, { tookS, worstLoopMs, lost }: Stampede): void {
  const who = `${agents} agents, ${what}`;
  results.bound(`${who}: until all stream`, tookS, 's', 15);
  results.bound(`${who}: longest hold-up of the server's event loop`, worstLoopMs, 'ms', 100);
  results.bound(`${who}: intervals lost, one of each agent`, lost, '', 0);
}

async function measureHerd(mesh: BenchMesh): Promise<void> {
  const [first, second] = mesh.servers as [BenchServer, BenchServer];
  const herd = new Herd(mesh, agents);
  progress(`${agents} agents`);
  await herd.start([first]);
  progress('their server is killed and started again');
  reportStampede('server killed (kill -9) and started again', await herd.stampede(first, first));
  await herd.end();
  const others = new Herd(mesh, agents);
  await others.start([first, second]);
  progress('their server is killed beside another one');
  reportStampede('server killed (kill -9) beside another one', await others.stampede(first, second));
  await others.end();
}

const obstacle = missing(['mariadb-server', 'iproute2', 'util-linux', 'openssh-server', 'cron']);
if (obstacle !== undefined) {
  progress(obstacle);
  process.exit(1);
}
const mesh = new BenchMesh();
const onInterrupt = (): void => void mesh.close().then(() => process.exit(130));
process.once('SIGINT', onInterrupt);
try {
  progress('starting MariaDB and two servers');
  const network = await TestNetwork.open(mesh.t);
  await mesh.open(network.keyFile);
  await measureDeployments(mesh, network);
  await measureLiveness(mesh);
  await measureHerd(mesh);
} finally {
  process.off('SIGINT', onInterrupt);
  await mesh.close();
}
const times = await alertTimes(progress);
const isMarkdown = process.argv.includes('--markdown');
results.print(isMarkdown);
printAlertTimes(times, isMarkdown);
