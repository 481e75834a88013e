import { METRICS, type Metric, type MetricMaxima, type Metrics, type SortName } from '../src/protocol/metric.ts';
import type { Grouping } from '../src/protocol/query.ts';
import type { GroupRow, ProcessRow, Row } from '../src/protocol/row.ts';
import { formatMetric } from './format.ts';
import { DIM } from './frame.ts';
import { byFigure, byText, type Column, figureCell, textCell } from './table.ts';

const METRIC_WIDTH = 5;

/** What a row is, whatever its place in the table. */
export function rowKey(row: Row): string {
  return 'pid' in row ? `${row.host}\0${row.pid}\0${row.startedAt}` : `${row.host ?? ''}\0${row.group}`;
}

/** Columns of a table of processes; only the fleet's says which host. Of the past there is the maximum of one metric too. */
export function processColumns(fleet: boolean, maximumOf?: SortName): readonly Column<ProcessRow>[] {
  return [
    ...(fleet ? [hostColumn<ProcessRow>()] : []),
    {
      ...{ name: 'instance', caption: 'INSTANCE', width: 14, grow: 1, most: 32, align: 'left', priority: 1 },
      cell: (row, width) => textCell(row.instance, width),
      compare: byText((row) => row.instance),
    },
    {
      ...{ name: 'pid', caption: 'PID', width: 7, align: 'right', priority: 9 },
      cell: (row, width) => figureCell(String(row.pid), width),
      compare: (a, b) => a.pid - b.pid,
    },
    {
      ...{ name: 'user', caption: 'USER', width: 8, grow: 1, most: 16, align: 'left', priority: 10 },
      cell: (row, width) => textCell(row.user, width),
      compare: byText((row) => row.user),
    },
    ...metricColumns<ProcessRow>(maximumOf),
    {
      ...{ name: 'command', caption: 'COMMAND', width: 10, grow: 5, align: 'left', priority: 4 },
      cell: (row, width) => textCell(commandOf(row), width, row.cmdline === '' ? DIM : {}),
      compare: byText(commandOf),
    },
  ];
}

export function groupColumns(groupBy: Grouping, fleet: boolean, maximumOf?: SortName): readonly Column<GroupRow>[] {
  return [
    ...(fleet && groupBy === 'instance' ? [hostColumn<GroupRow>()] : []),
    {
      ...{ name: 'group', caption: groupBy.toUpperCase(), width: 14, grow: 1, align: 'left', priority: 1 },
      cell: (row, width) => textCell(row.group, width),
      compare: byText((row) => row.group),
    },
    {
      ...{ name: 'processes', caption: 'PROCS', width: METRIC_WIDTH + 1, align: 'right', priority: 4 },
      cell: (row, width) => figureCell(String(row.processes), width),
      compare: byFigure((row) => row.processes),
    },
    ...metricColumns<GroupRow>(maximumOf),
  ];
}

/** The command line without the folder of its program, which says least and comes first; kernel threads have a name only. */
export function commandOf(row: ProcessRow): string {
  return row.cmdline === '' ? `[${row.comm}]` : row.cmdline.replace(/^\/\S*\/(?=\S)/, '');
}

function hostColumn<R extends Row>(): Column<R> {
  return {
    ...{ name: 'host', caption: 'HOST', width: 10, grow: 3, most: 24, align: 'left', priority: 3 },
    cell: (row, width) => textCell(row.host ?? '', width),
    compare: byText((row) => row.host ?? ''),
  };
}

function metricColumns<R extends Metrics & MetricMaxima>(maximumOf: SortName | undefined): Column<R>[] {
  return METRICS.flatMap((metric, index): Column<R>[] => {
    const { name, sort, unit, caption } = metric;
    const column: Column<R> = {
      ...{ name: sort, caption, width: Math.max(caption.length + 1, METRIC_WIDTH), align: 'right', metric: name },
      priority: index < 2 ? 2 : 3 + index,
      cell: (row, width) => figureCell(formatMetric(unit, row[name]), width),
      compare: byFigure((row) => row[name]),
    };
    return sort === maximumOf ? [column, maximumColumn(metric)] : [column];
  });
}

/** The largest sample, beside the average. */
function maximumColumn<R extends MetricMaxima>({ name, unit }: Metric): Column<R> {
  const maximum = (row: R): number | undefined => row[`${name}Max`];
  return {
    ...{ name: 'max', caption: 'MAX', width: METRIC_WIDTH, align: 'right', priority: 3 },
    cell: (row, width) => figureCell(formatMetric(unit, maximum(row)), width),
    compare: byFigure(maximum),
  };
}
