import { freePort } from '../support/command.ts';
import type { Namespace } from './namespace.ts';
import type { NetWorkload, Role } from './net-workloads.ts';
import type { Resource, Span } from './observer.ts';
import { Program } from './program.ts';
import { type Bound, coverage, type Result } from './result.ts';
import { observed, type Rig } from './rig.ts';

export const EXACT: Bound = { from: 99, to: 101 };
/** Samples after its begin in which an exchange is in the middle of its work. */
const SAMPLES_TO_THE_MIDDLE = 2;

/** What one exchange came to, for those who look at all of them. */
export interface Exchange {
  rig: Rig;
  /** Of the workload. */
  title: string;
  span: Span;
  near: End;
  far: End;
  /** Listens on the server's port in the client's namespace, and nobody ever speaks to it. */
  bystander: number;
  /** Who `ps --sort net-out` and `net-in` put first in the middle of it, when that was not the two ends. */
  misnamed: string | undefined;
}

/** One of the two processes and its own counts. */
interface End {
  role: Role;
  pid: number;
  netInBytes: number;
  netOutBytes: number;
}

const DIRECTION: { readonly [resource in Resource]?: string } = { netInBytes: 'received', netOutBytes: 'sent' };

/** Runs an exchange with the given role on this side of the pair; lines for the process on this side. */
export async function runNetWorkload(
  rig: Rig,
  namespace: Namespace,
  workload: NetWorkload,
  role: Role,
): Promise<{ results: Result[]; exchange: Exchange }> {
  const { span, result } = await observed(rig, () => exchanged(rig, namespace, workload, role));
  const { server, client, bystander, first } = result;
  const [near, far] = role === 'server' ? [server, client] : [client, server];
  const results = workload.measured[role].map((resource) =>
    coverage(
      {
        workload: workload.title,
        measured: `bytes ${DIRECTION[resource]} by the ${role}`,
        truth: near[resource as 'netInBytes'],
        unit: 'MB',
      },
      rig,
      { span, resource, which: ({ pid }) => pid === near.pid },
      EXACT,
    ),
  );
  const sends = server.netOutBytes > client.netOutBytes ? server : client;
  const takes = sends === server ? client : server;
  const isRight = first.out === sends.pid && first.into === takes.pid;
  const misnamed = isRight ? undefined : `${first.out}, ${first.into} for ${sends.pid}, ${takes.pid}`;
  return { results, exchange: { rig, title: workload.title, span, near, far, bystander, misnamed } };
}

async function exchanged(rig: Rig, namespace: Namespace, workload: NetWorkload, role: Role) {
  const net = rig.workshop.program('net');
  const port = String(await freePort());
  const address = namespace[workload.family][role === 'server' ? 'near' : 'far'];
  const started = (of: Role, args: readonly string[]): Program =>
    new Program(of === role ? [net, ...args] : namespace.inside([net, ...args]));
  const server = started('server', [workload.server, port]);
  await server.report();
  const bystander = started('client', [workload.server, port]);
  await bystander.report();
  const client = started('client', workload.client({ address, port }, rig.workshop));
  await rig.procmesh.samples(SAMPLES_TO_THE_MIDDLE);
  const out = await rig.procmesh.first('net-out');
  const into = await rig.procmesh.first('net-in');
  const [ofClient, ofServer] = [await client.report(), await server.report()];
  return {
    result: {
      server: endOf('server', ofServer),
      client: endOf('client', ofClient),
      bystander: bystander.pid,
      first: { out: out?.pid, into: into?.pid },
    },
    end: async () => {
      bystander.kill();
      await Promise.all([client.end(), server.end()]);
    },
  };
}

function endOf(role: Role, { pid = 0, sent = 0, received = 0 }: Record<string, number>): End {
  return { role, pid, netInBytes: received, netOutBytes: sent };
}
