import { METRICS, type Metric } from '../../protocol/metric.ts';
import { UNITS, WORDS } from '../metrics.ts';
import { type Panel, type Row, seriesPanel } from '../panel.ts';
import { averageSql, maximumSql } from '../process-sql.ts';

export function processRow(): Row {
  return { title: 'PROCESS', lines: METRICS.map((metric) => [averagePanel(metric), maximumPanel(metric)]) };
}

const WHAT: { [name in Metric['name']]: string } = {
  cpuPercent: 'CPU time, 100 % = one core',
  rssBytes: 'Resident memory; pages that processes share count in each',
  readBytesPerSec: 'Bytes read from disks',
  writeBytesPerSec: 'Bytes written to disks, counted when a page is dirtied',
  netInBytesPerSec: 'Bytes received, without loopback',
  netOutBytesPerSec: 'Bytes sent, without loopback',
};

function averagePanel(metric: Metric): Panel {
  return seriesPanel({
    title: `process ${WORDS[metric.sort]}`,
    description: `${WHAT[metric.name]}: all recorded processes of each instance together. Processes that were too small to be recorded are in ATTRIBUTION, “others”.`,
    unit: UNITS[metric.unit],
    queries: [averageSql(metric)],
  });
}

function maximumPanel(metric: Metric): Panel {
  return seriesPanel({
    title: `process ${WORDS[metric.sort]}, largest sample`,
    description: `${WHAT[metric.name]}: the largest sample of each instance, so that a spike between two points is not lost. Of several processes the largest of each are added up, to no more than the host's.`,
    unit: UNITS[metric.unit],
    queries: [maximumSql(metric)],
  });
}
