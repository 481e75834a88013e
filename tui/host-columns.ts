import { METRICS, type Metric, type SortName } from '../src/protocol/metric.ts';
import type { HostRow } from '../src/protocol/row.ts';
import { bar } from './chart.ts';
import { formatAge, formatBytes, formatMetric, formatShare, UNKNOWN } from './format.ts';
import { DIM, PLAIN, type Span, type Style, span } from './frame.ts';
import { isPast, type Model } from './model.ts';
import { byFigure, byText, type Column, figureCell, textCell } from './table.ts';
import { sharesOf, type Usage } from './usage.ts';

const MARKS: { [status in HostRow['status']]: Span } = {
  online: span('●', { fg: 'green' }),
  late: span('◐', { fg: 'yellow' }),
  offline: span('○', { fg: 'red' }),
  deploying: span('↑', { fg: 'cyan' }),
  upgrading: span('↑', { fg: 'cyan' }),
  failed: span('✗', { fg: 'red' }),
  retired: span('-', DIM),
};

/** The bar of a network that moves less than this is not full even if no other host moves more. */
const QUIET_BYTES_PER_SEC = 1024 ** 2;
const FIGURE_WIDTH = 5;

/**
 * Columns of the table of hosts. The bars of CPU, memory and disk show shares of what the host has; the capacity of a
 * network is not known, so its bar is relative to the busiest of all hosts. Ages are relative to the server's clock, not
 * to ours. Of the past figures are known whatever the host's status is now, and which processes were the largest is not.
 */
export function hostColumns(model: Model): readonly Column<HostRow>[] {
  const past = isPast(model);
  const { rows, at } = model.hosts ?? { rows: [], at: '' };
  const usageOf = (row: HostRow): Usage => (past || isLive(row) ? row : {});
  const busiest = rows.reduce(
    (most, row) => Math.max(most, sharesOf(usageOf(row)).netBytesPerSec ?? 0),
    QUIET_BYTES_PER_SEC,
  );
  const figures: [string, string, (usage: Usage) => number | undefined, (figure: number | undefined) => string][] = [
    ['load', 'LOAD', (usage) => usage.load1, (load) => load?.toFixed(1) ?? UNKNOWN],
    ['read', 'READ', (usage) => usage.readBytesPerSec, formatBytes],
    ['write', 'WRITE', (usage) => usage.writeBytesPerSec, formatBytes],
    ['net-in', 'NET-IN', (usage) => usage.netInBytesPerSec, formatBytes],
    ['net-out', 'NET-OUT', (usage) => usage.netOutBytesPerSec, formatBytes],
    ['processes', 'PROCS', (usage) => usage.processes, (count) => count?.toFixed(0) ?? UNKNOWN],
  ];
  return [
    {
      ...{ name: 'host', caption: '  HOST', width: 14, grow: 2, most: 32, align: 'left', priority: 1 },
      cell: (row, width) => [past ? span(' ') : MARKS[row.status], span(' '), ...textCell(row.host, width - 2)],
      compare: byText((row) => row.host),
    },
    shareColumn('cpu', 'CPU', 2, (row) => sharesOf(usageOf(row)).cpu),
    shareColumn('mem', 'MEM', 3, (row) => sharesOf(usageOf(row)).mem),
    shareColumn('disk', 'DISK', 4, (row) => sharesOf(usageOf(row)).disk),
    {
      ...{ name: 'net', caption: 'NET', width: 10, grow: 1, most: 18, align: 'right', priority: 5 },
      cell: (row, width) => {
        const { netBytesPerSec } = sharesOf(usageOf(row));
        const share = netBytesPerSec === undefined ? undefined : netBytesPerSec / busiest;
        return barCell(share, formatBytes(netBytesPerSec), width, { fg: 'cyan' });
      },
      compare: byFigure((row) => sharesOf(usageOf(row)).netBytesPerSec),
    },
    ...figures.map(
      ([name, caption, figure, format], index): Column<HostRow> => ({
        ...{ name, caption, width: Math.max(caption.length + 1, FIGURE_WIDTH), align: 'right', priority: 7 + index },
        from: index < 3 ? 120 : 160,
        cell: (row, width) => figureCell(format(figure(usageOf(row))), width),
        compare: byFigure((row) => figure(usageOf(row))),
      }),
    ),
    ...(past ? [] : [topColumn(at, culpritBy(model.hostSort))]),
  ];
}

/** Whether its figures are of now; of a host that is gone the last ones may still be in the row. */
export function isLive(row: HostRow): boolean {
  return row.status === 'online' || row.status === 'late' || row.status === 'upgrading';
}

/** Green, then yellow from 70 %, red from 90 %; the figure stands beside it. */
export function shareStyle(share: number | undefined): Style {
  if (share === undefined) return DIM;
  return { fg: share < 0.7 ? 'green' : share < 0.9 ? 'yellow' : 'red' };
}

/** A bar and its figure in exactly `width` cells. */
export function barCell(share: number | undefined, figure: string, width: number, style: Style): readonly Span[] {
  const { filled, track } = bar(share ?? 0, width - FIGURE_WIDTH);
  return [span(filled, style), span(track, DIM), ...figureCell(figure, FIGURE_WIDTH, PLAIN)];
}

function shareColumn(
  name: string,
  caption: string,
  priority: number,
  share: (row: HostRow) => number | undefined,
): Column<HostRow> {
  return {
    ...{ name, caption, width: 10, grow: 1, most: 18, align: 'right', priority },
    cell: (row, width) => barCell(share(row), formatShare(share(row)), width, shareStyle(share(row))),
    compare: byFigure(share),
  };
}

/** The largest users of each resource, or the state of a host whose figures are not here. */
function topColumn(at: string, culprit: Metric): Column<HostRow> {
  return {
    ...{ name: 'top', caption: `TOP ${culprit.caption}`, width: 16, grow: 2, align: 'left', priority: 6 },
    cell: (row, width) =>
      row.status === 'online' && row.cpuPercent !== undefined
        ? textCell(culpritsOf(row, culprit.sort), width)
        : textCell(stateOf(row, at), width, DIM),
    compare: byText((row) => culpritsOf(row, culprit.sort)),
  };
}

/** The resource whose largest users are shown first: the one the hosts are ordered by. */
function culpritBy(sort: string): Metric {
  const resource: SortName | string = sort === 'disk' ? 'write' : sort === 'net' ? 'net-out' : sort;
  return METRICS.find((metric) => metric.sort === resource) ?? METRICS[0];
}

/** `mysqld:3307 182%   mem java 12G   write backup 80M`: as many as the column has room for. */
function culpritsOf(row: HostRow, first: SortName): string {
  const named = METRICS.toSorted((a, b) => Number(b.sort === first) - Number(a.sort === first)).flatMap((metric) => {
    const culprit = row.culprits?.[metric.sort]?.[0];
    if (culprit === undefined || culprit.value === 0) return [];
    const figure =
      metric.unit === 'percent' ? formatShare(culprit.value / 100) : formatMetric(metric.unit, culprit.value);
    const text = `${culprit.instance} ${figure}`;
    return [metric.sort === first ? text : `${metric.sort} ${text}`];
  });
  return named.join('   ');
}

/** `offline, seen 3 m ago, connection reset`, or `deploying, copying runtime and agent`. */
export function stateOf(row: HostRow, at: string): string {
  const isMissed = row.status === 'offline' || row.status === 'late';
  return [row.status, isMissed ? lastSeen(row, at) : undefined, row.message]
    .filter((part) => part !== undefined)
    .join(', ');
}

function lastSeen({ lastSeenAt }: HostRow, at: string): string {
  return lastSeenAt === undefined ? 'never seen' : `seen ${formatAge(Date.parse(at) - Date.parse(lastSeenAt))} ago`;
}
