import { runtimePath } from '../../../src/server/deploy/target.ts';
import { findRuntime, readRuntime } from '../../../src/server/release/runtime.ts';
import { HOST_NODE, type TestHost } from '../../support/test-host/test-host.ts';
import type { TestNetwork } from '../../support/test-hosts.ts';
import { type BenchMesh, type BenchServer, HostsView } from './bench-mesh.ts';

/** Where agents are installed on hosts, by the configuration as it comes. */
const FOLDER = '/opt/procmesh';
const AT_ONCE = 20;

export interface Deployments {
  /** From the insertion of a row until a viewer sees the host's figures, seconds. */
  withRuntimeS: number;
  oneS: number;
  manyS: number;
  atOnce: number;
  /** From the change of a row until the agent is taken away. */
  removedS: number;
}

/** Rows that are inserted by SQL, for hosts with nothing but sshd and, where it is not to be copied, the runtime. */
export async function deployments(mesh: BenchMesh, network: TestNetwork): Promise<Deployments> {
  const [server] = mesh.servers as [BenchServer];
  const view = new HostsView(server);
  const boot = async (count: number): Promise<TestHost[]> => {
    const hosts: TestHost[] = [];
    for (let index = 0; index < count; index += 1) hosts.push(await network.host());
    return hosts;
  };
  const untilStreaming = async (hosts: readonly TestHost[]): Promise<number> => {
    const startedAt = performance.now();
    await mesh.list(
      hosts.map(({ address }) => address),
      1,
    );
    const wanted = new Set(hosts.map(({ address }) => address));
    const seenAt = await view.seen(
      (rows) =>
        rows.filter(({ host, cpuPercent }) => wanted.has(host) && cpuPercent !== undefined).length === wanted.size,
    );
    return (seenAt - startedAt) / 1_000;
  };

  // The first one also waits for what is made once, the agent's bundle and the compressed runtime.
  await untilStreaming(await boot(1));
  const withRuntimeS = await untilStreaming(await boot(1));
  const hosts = await boot(1 + AT_ONCE);
  await Promise.all(hosts.map(bringRuntime));
  const oneS = await untilStreaming(hosts.slice(0, 1));
  const manyS = await untilStreaming(hosts.slice(1));
  const startedAt = performance.now();
  await mesh.list(
    hosts.map(({ address }) => address),
    0,
  );
  const gone = new Set(hosts.map(({ address }) => address));
  const removedAt = await view.seen(
    (rows) =>
      rows.filter(({ host, status, message }) => gone.has(host) && status === 'retired' && message === undefined)
        .length === gone.size,
  );
  view.close();
  return { withRuntimeS, oneS, manyS, atOnce: AT_ONCE, removedS: (removedAt - startedAt) / 1_000 };
}

/** As an earlier deployment left it. */
export async function bringRuntime(host: TestHost): Promise<void> {
  const installed = findRuntime(process.arch, '/nowhere');
  if (installed === undefined) throw new Error('there is no runtime for this kind of machine');
  const file = `${FOLDER}/${runtimePath(await readRuntime(installed))}`;
  await host.sh(`mkdir -p $(dirname ${file}); cp ${HOST_NODE} ${file}; echo made >${FOLDER}/.procmesh`);
}
