import { accessSync, constants, existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { InvalidArgumentError, Option } from 'commander';
import { clean } from '../../tui/text.ts';
import { abilities, type Finding, keptDescriptors } from '../agent/abilities.ts';
import { openKernelAccess } from '../agent/kernel-access.ts';
import { Scanner } from '../agent/snapshot.ts';
import { openSources } from '../agent/sources.ts';
import { type Config, loadConfig } from '../config.ts';
import { Problem } from '../problem.ts';
import { parseHostAddress } from '../server/host-address.ts';
import { alertFindings, testAlerts } from './doctor-alerts.ts';
import { databaseFindings } from './doctor-database.ts';
import { deploymentFindings } from './doctor-deploy.ts';
import { fleetFindings, readFleet } from './doctor-fleet.ts';
import { serverFindings } from './doctor-server.ts';
import { meshFindings } from './doctor-servers.ts';
import { sshFindings } from './doctor-ssh.ts';
import { formatJson } from './json.ts';
import { subCommand } from './options.ts';
import { type Column, formatTable, outputWidth } from './table.ts';

interface DoctorOptions {
  config: string;
  json?: boolean;
  alert?: boolean;
  host?: string;
}

/** `ss` answers in the background; what it cannot do is known only then. */
const SETTLE_MS = 300;

/** `procmesh doctor`: what works here, how well, and what would raise it. Exit 1 when something does not work. */
export async function run(args: readonly string[]): Promise<void> {
  const options = subCommand(
    'doctor',
    'Checks this machine and its fleet: what works, how well, and what would raise it.',
  )
    .option('--json', 'JSON')
    .option('--alert', 'send a test by each channel that alerts go to')
    .addOption(
      new Option(
        '--host <host>',
        'log in at HOST or user@HOST:port as a deployment would, and look, changing nothing',
      ).argParser(hostAddress),
    )
    .parse([...args], { from: 'user' })
    .opts<DoctorOptions>();
  const checks = await examine(options);
  if (options.json) process.stdout.write(`${formatJson({ checks }, {})}\n`);
  else process.stdout.write(`${formatTable(COLUMNS, checks, outputWidth())}\n${mends(checks)}`);
  if (checks.some(({ state }) => state === 'failed')) process.exitCode = 1;
}

const COLUMNS: Column<Finding>[] = [
  { caption: 'CHECK', text: ({ check }) => check },
  { caption: 'STATE', text: ({ state }) => state },
  { caption: 'FOUND', fills: true, text: ({ found }) => found },
];

/** Whole, below the table, which may cut what it shows. What is not mended in a way of its own says how as it is found. */
function mends(checks: readonly Finding[]): string {
  const lines = checks.flatMap(({ check, state, found, mend = state === 'failed' ? found : undefined }) =>
    mend === undefined || mend === '' ? [] : [`  ${clean(`${check}: ${mend}`)}\n`],
  );
  return lines.length === 0 ? '' : `\nTo raise it:\n${lines.join('')}`;
}

async function examine(options: DoctorOptions): Promise<Finding[]> {
  const { finding, config } = configuration(options.config);
  const [configured, abilities] = await Promise.all([
    config === undefined ? [] : configuredFindings(config, options),
    agentAbilities(),
  ]);
  return [finding, runtime(), ...configured, ...abilities];
}

/** All at the same time: each may wait for its deadline. */
async function configuredFindings(config: Config, { config: file, alert, host }: DoctorOptions): Promise<Finding[]> {
  const fleet = readFleet(config);
  // Whoever wants only what is in it does without; what is wrong with it one check tells.
  const fleetIfAny = fleet.catch(() => undefined);
  const findings = await Promise.all([
    dataFolder(config),
    databaseFindings(config, file),
    alertFindings(config),
    alert ? testAlerts(config, hostname()) : [],
    serverFindings(config, fleetIfAny),
    meshFindings(config, fleetIfAny),
    fleetFindings(config, fleet),
    sshFindings(config),
    deploymentFindings(config, host),
  ]);
  return findings.flat();
}

/** Parser of a host as it is written in the table. */
function hostAddress(text: string): string {
  if (parseHostAddress(text) !== undefined) return text;
  throw new InvalidArgumentError('It takes HOST or user@HOST:port.');
}

function configuration(file: string): { finding: Finding; config?: Config } {
  const check = 'configuration';
  try {
    const { config, warnings } = loadConfig(file, process.env);
    if (warnings.length === 0) return { finding: { check, state: 'ok', found: file }, config };
    const mend = 'remove or correct what is not known';
    return { finding: { check, state: 'limited', found: warnings.join('; '), mend }, config };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { finding: { check, state: 'failed', found: error.message } };
  }
}

function runtime(): Finding {
  return {
    check: 'runtime',
    state: 'ok',
    found: `Node.js ${process.versions.node}, ${process.platform} ${process.arch}`,
  };
}

function dataFolder({ dataDir }: Config): Finding {
  const check = 'data folder';
  let existing = dataDir;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
    return { check, state: 'ok', found: dataDir };
  } catch {
    const mend = "set [global] data_dir to a folder of this user's own";
    return { check, state: 'failed', found: `${dataDir} cannot be written by this user`, mend };
  }
}

async function agentAbilities(): Promise<Finding[]> {
  const scanner = new Scanner({ procRoot: '/proc', sysRoot: '/sys', keptDescriptors: keptDescriptors('/proc') });
  const kernel = openKernelAccess();
  const sources = openSources({ net: 'auto', procRoot: '/proc', sysRoot: '/sys', ownPid: process.pid, kernel });
  try {
    const snapshot = scanner.take();
    sources.network?.read(snapshot.processes);
    if (sources.network?.name === 'sockets') await delay(SETTLE_MS);
    return abilities(sources, snapshot, '/proc');
  } finally {
    sources.close();
    scanner.close();
  }
}
