import * as units from '@grafana/grafana-foundation-sdk/units';
import { HOST_INFO } from '../../store/tables.ts';
import { FLOWS, hostColumn, UNITS, WORDS } from '../metrics.ts';
import { coloured, outline, type Panel, type Row, seriesPanel, stackedPanel } from '../panel.ts';
import { averageSql, othersSql } from '../process-sql.ts';
import { seriesSql } from '../series-sql.ts';

type Flow = (typeof FLOWS)[number];

export function attributionRow(): Row {
  const panels = FLOWS.map(addedUpPanel);
  return {
    title: 'ATTRIBUTION',
    lines: [
      panels.slice(0, 1),
      panels.slice(1, 3),
      panels.slice(3),
      [unattributedPanel('percent'), unattributedPanel('bytesPerSec')],
    ],
  };
}

function addedUpPanel({ metric, unattributed }: Flow): Panel {
  return stackedPanel({
    title: `${WORDS[metric.sort]}: what it is made of`,
    description: `The chosen instances, what no process accounts for (“unattributed”) and all other processes (“others”) on top of each other: they add up to the line, which is what the host used. Several chosen hosts are added up too.`,
    unit: UNITS[metric.unit],
    queries: [
      averageSql(metric),
      coloured(unattributedSql(unattributed, 'unattributed'), 'dark-red'),
      coloured(othersSql(metric, unattributed), '#808080'),
      outline(seriesSql({ table: HOST_INFO, value: `AVG(${hostColumn(metric)})`, suffix: 'host' })),
    ],
  });
}

function unattributedPanel(unit: Flow['metric']['unit']): Panel {
  const flows = FLOWS.filter(({ metric }) => metric.unit === unit);
  return seriesPanel({
    title: `unattributed: ${flows.map(({ metric }) => WORDS[metric.sort]).join(', ')}`,
    description:
      'What the host used and no process accounts for: interrupts, file system journals, packet headers, and processes that the agent may not see.',
    unit: UNITS[unit] ?? units.Short,
    queries: flows.map(({ metric, unattributed }) => unattributedSql(unattributed, WORDS[metric.sort])),
  });
}

/** An interval where it is not known counts 0, as in the others, so that the parts add up. */
function unattributedSql(column: string, suffix: string): string {
  return seriesSql({ table: HOST_INFO, value: `SUM(${column}) / COUNT(*)`, suffix });
}
