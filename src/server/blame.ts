import { type Blame, type BlamedResource, type CulpritShare, MAX_PIDS } from '../protocol/blame.ts';
import { type FlowName, type MaxName, METRICS, type MetricName } from '../protocol/metric.ts';
import type { ProcessRow } from '../protocol/row.ts';
import type { HostHistory, Peaks } from '../store/store.ts';

/** The host's figure that a metric of its processes is a part of. */
type HostName = FlowName | 'memUsedBytes';

/** All processes of one instance. */
interface Instance {
  name: string;
  processes: ProcessRow[];
}

/**
 * Who used how much of what a host did: of each resource the `limit` largest instances, what no process accounts for, and
 * the others, so that they add up to the host.
 * @param rows what was recorded of the host's processes in that time.
 */
export function blame(history: HostHistory, rows: readonly ProcessRow[], peaks: Peaks, limit: number): Blame {
  const { total, fromMs, toMs, coveredMs } = history;
  const instances = [...Map.groupBy(rows, ({ instance }) => instance)].map(([name, processes]) => ({
    name,
    processes,
  }));
  return {
    host: total.host,
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    coveredMs,
    cores: total.cores,
    memTotalBytes: total.memTotalBytes,
    resources: METRICS.map(({ name, sort }): BlamedResource => {
      const hostName: HostName = name === 'rssBytes' ? 'memUsedBytes' : name;
      const [hostAvg, hostMax] = [total[hostName], history.max[hostName]];
      const culprits = largest(instances, name, limit, { hostAvg, hostMax });
      const unattributed = name === 'rssBytes' ? undefined : total.unattributed[name];
      const named = culprits.reduce((sum, { avg }) => sum + avg, unattributed ?? 0);
      return {
        ...{ resource: sort, hostAvg, hostMax, hostMaxAt: new Date(peaks[hostName]).toISOString() },
        ...(unattributed !== undefined && { unattributed }),
        ...{ others: Math.max(0, hostAvg - named), culprits },
      };
    }),
  };
}

function largest(
  instances: readonly Instance[],
  metric: MetricName,
  limit: number,
  host: { hostAvg: number; hostMax: number },
): CulpritShare[] {
  return instances
    .map(({ name, processes }) => ({ name, processes, avg: sum(processes, metric) }))
    .filter(({ avg }) => avg > 0)
    .sort((a, b) => b.avg - a.avg || (a.name < b.name ? -1 : 1))
    .slice(0, limit)
    .map(({ name, processes, avg }) => {
      const users = processes
        .filter((process) => (process[metric] ?? 0) > 0)
        .sort((a, b) => (b[metric] ?? 0) - (a[metric] ?? 0));
      const { comm = name, cmdline = '', user = '' } = users[0] ?? {};
      return {
        ...{ instance: name, comm, pids: users.slice(0, MAX_PIDS).map(({ pid }) => pid), cmdline, user, avg },
        // Samples of several processes had their largest at different moments: their sum may be more than there was.
        max: Math.max(avg, Math.min(sum(processes, `${metric}Max`), host.hostMax)),
        sharePercent: host.hostAvg === 0 ? 0 : Math.min(100, (100 * avg) / host.hostAvg),
      };
    });
}

function sum(processes: readonly ProcessRow[], name: MetricName | MaxName): number {
  return processes.reduce((total, process) => total + (process[name] ?? 0), 0);
}
