import { accessSync, constants, existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { abilities, type Finding, keptDescriptors } from '../agent/abilities.ts';
import { openKernelAccess } from '../agent/kernel-access.ts';
import { Scanner } from '../agent/snapshot.ts';
import { openSources } from '../agent/sources.ts';
import { type Config, loadConfig } from '../config.ts';
import { Problem } from '../problem.ts';
import { alertFindings, testAlerts } from './doctor-alerts.ts';
import { databaseFindings } from './doctor-database.ts';
import { serverFindings } from './doctor-server.ts';
import { formatJson } from './json.ts';
import { subCommand } from './options.ts';
import { type Column, formatTable, outputWidth } from './table.ts';

interface DoctorOptions {
  config: string;
  json?: boolean;
  alert?: boolean;
}

/** `ss` answers in the background; what it cannot do is known only then. */
const SETTLE_MS = 300;

/** `procmesh doctor`: what works here, how well, and what would raise it. Exit 1 when something does not work. */
export async function run(args: readonly string[]): Promise<void> {
  const options = subCommand('doctor', 'Checks this machine: what works, how well, and what would raise it.')
    .option('--json', 'JSON')
    .option('--alert', 'send a test by each channel that alerts go to')
    .parse([...args], { from: 'user' })
    .opts<DoctorOptions>();
  const checks = await examine(options.config, options.alert ?? false);
  if (options.json) process.stdout.write(`${formatJson({ checks }, {})}\n`);
  else process.stdout.write(`${formatTable(COLUMNS, checks, outputWidth())}\n${mends(checks)}`);
  if (checks.some(({ state }) => state === 'failed')) process.exitCode = 1;
}

const COLUMNS: Column<Finding>[] = [
  { caption: 'CHECK', text: ({ check }) => check },
  { caption: 'STATE', text: ({ state }) => state },
  { caption: 'FOUND', fills: true, text: ({ found }) => found },
];

/** Whole, below the table, which may cut what it shows. */
function mends(checks: readonly Finding[]): string {
  const lines = checks.filter(({ mend }) => mend).map(({ check, mend }) => `  ${check}: ${mend}\n`);
  return lines.length === 0 ? '' : `\nTo raise it:\n${lines.join('')}`;
}

async function examine(file: string, isAlertTested: boolean): Promise<Finding[]> {
  const { finding, config } = configuration(file);
  return [
    finding,
    runtime(),
    ...(config === undefined
      ? []
      : [
          dataFolder(config),
          ...(await databaseFindings(config, file)),
          ...(await alertFindings(config)),
          ...(isAlertTested ? await testAlerts(config, hostname()) : []),
          ...(await serverFindings(config)),
        ]),
    ...(await agentAbilities()),
  ];
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
