import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatBytes } from '../../tui/format.ts';
import type { Finding } from '../agent/abilities.ts';
import type { Config } from '../config.ts';
import { Problem } from '../problem.ts';
import { usesSystemd } from '../server/deploy/activate.ts';
import { type Examined, SshDeployer, type SshDeployerOptions } from '../server/deploy/ssh-deployer.ts';
import { parseHostAddress } from '../server/host-address.ts';
import { Provisioner } from '../server/provision.ts';
import { ensureReleaseKey } from '../server/release/release-key.ts';
import { type Goods, installCommand, Releases } from '../server/release/releases.ts';
import { deployerOptions } from './deployer.ts';
import { Progress } from './progress.ts';
import { VERSION } from './version.ts';

/** People who wait for longer want to know for what. */
const SILENT_MS = 2_000;

/** Whether what hosts are given is here and, when one is named, whether it could be deployed; nothing is changed there. */
export async function deploymentFindings(config: Config, rshost: string | undefined): Promise<Finding[]> {
  // Not where a server that runs has its own.
  const folder = mkdtempSync(join(tmpdir(), 'procmesh-doctor-'));
  const { dataDir, version } = config;
  const options = { dataDir, folder, version: version || VERSION, key: ensureReleaseKey(folder) };
  const opening = Releases.open(options);
  try {
    const goods = async (architecture: string, hasOwnNode: boolean): Promise<Goods | undefined> => {
      const releases = await opening;
      return releases.goods({ ...releases.own, serial: 0, architecture, hasOwnNode });
    };
    const deployer = new SshDeployer({ ...deployerOptions(config), goods }, () => undefined);
    return await Promise.all([
      release(goods, config),
      ...(rshost === undefined ? [] : [examined(deployer, config, rshost)]),
    ]);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return [{ check: 'deployment', state: 'failed', found: error.message }];
  } finally {
    await opening.then((releases) => releases.close()).catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of hosts of other kinds than this machine a deployment says what they want. */
async function release(goods: SshDeployerOptions['goods'], config: Config): Promise<Finding> {
  const check = 'deployment';
  const architecture = process.arch;
  const { node } = config.deploy;
  try {
    const given = await goods(architecture, node !== '');
    const kind = `for hosts of kind ${architecture}`;
    if (given === undefined) {
      const mend = installCommand(config.dataDir, architecture);
      return { check, state: 'limited', found: `no Node.js ${kind}`, mend };
    }
    const { release, runtime } = given;
    const agentBytes = release.files.reduce((sum, { bytes }) => sum + bytes, 0);
    if (!release.files.some(({ path }) => path.startsWith('node_modules/')))
      return { check, state: 'limited', found: `the agent is without koffi ${kind}`, mend: 'npm ci installs it' };
    if (runtime === undefined)
      return { check, state: 'ok', found: `the agent (${formatBytes(agentBytes)}), which hosts run on their ${node}` };
    const bytes = `${formatBytes(runtime.bytes)} and ${formatBytes(agentBytes)}`;
    return { check, state: 'ok', found: `Node.js ${runtime.version} and the agent (${bytes}) ${kind}` };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { check, state: 'failed', found: `the agent that hosts are given cannot be made: ${reason}` };
  }
}

async function examined(deployer: SshDeployer, config: Config, rshost: string): Promise<Finding> {
  const check = `host ${rshost}`;
  const { signal } = new AbortController();
  const progress = new Progress(process.stderr);
  let phase = '';
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    progress.step(rshost, phase);
  }, SILENT_MS);
  const onPhase = (next: string): void => {
    phase = next;
    if (isLate) progress.step(rshost, phase);
  };
  try {
    const servers = await serversFor(config, rshost, signal);
    const { state, firstKeys } = await deployer.examine(rshost, onPhase, signal);
    return {
      check,
      state: 'ok',
      found: [...describe(state, config), ...servers, ...describeKeys(firstKeys)].join('; '),
    };
  } catch (error) {
    // As the work on a host: whatever ends it is its reason.
    return { check, state: 'failed', found: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
    progress.close();
  }
}

/** Which server its agent would be told of first. @throws Problem when none is known that the host could reach. */
async function serversFor(config: Config, rshost: string, signal: AbortSignal): Promise<string[]> {
  const { servers, tls, listen } = config;
  const own = { scheme: tls === 'off' ? 'ws' : 'wss', listenHost: listen.host, port: listen.port } as const;
  const provisioner = new Provisioner({
    agentToken: () => '',
    servers,
    own,
    pin: undefined,
    releaseKey: '',
    alerts: undefined,
  });
  const host = parseHostAddress(rshost)?.host ?? rshost;
  const { servers: given } = await provisioner.provision(host, 0, signal);
  return [`its agent is to connect to ${given[0]}`];
}

function describe(state: Examined['state'], { scriptDir, deploy }: Config): string[] {
  const { machine, libc, user, freeBytes, folder, nodeVersion } = state;
  const software = libc.kind === 'glibc' ? `glibc ${libc.version.join('.')}` : libc.name;
  return [
    `${user} is let in`,
    `${machine}, ${software}, ${usesSystemd(state) ? 'systemd' : 'cron'}`,
    ...(nodeVersion === undefined ? [] : [`${deploy.node} is ${nodeVersion}`]),
    `${scriptDir} ${folder === 'ours' ? 'has an agent' : 'can be made'}, ${formatBytes(freeBytes)} free`,
  ];
}

function describeKeys(firstKeys: Examined['firstKeys']): string[] {
  return firstKeys.map(({ name, fingerprint }) => `the key of ${name} is not known yet: ${fingerprint}`);
}
