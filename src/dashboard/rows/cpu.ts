import * as units from '@grafana/grafana-foundation-sdk/units';
import { HOST_INFO } from '../../store/tables.ts';
import { dashed, type Row, seriesPanel } from '../panel.ts';
import { seriesSql } from '../series-sql.ts';

const table = HOST_INFO;

export function cpuRow(): Row {
  return {
    title: 'CPU',
    lines: [
      [
        seriesPanel({
          title: 'CPU used',
          description: 'CPU time used, 100 % = one core: average, and the largest sample.',
          unit: units.Percent,
          queries: [
            seriesSql({ table, value: 'AVG(cpu_percent)' }),
            dashed(seriesSql({ table, value: 'MAX(cpu_percent_max)', suffix: 'max' })),
          ],
        }),
        seriesPanel({
          title: 'CPU idle',
          description: 'Cores that had nothing to do and waited for no disk, 100 % = one core.',
          unit: units.Percent,
          queries: [
            seriesSql({
              table,
              value: 'GREATEST(0, AVG(cores * 100 - cpu_percent - iowait_percent - steal_percent))',
            }),
          ],
        }),
      ],
      [
        seriesPanel({
          title: 'CPU iowait',
          description: 'Cores that were idle while a disk worked for them, 100 % = one core.',
          unit: units.Percent,
          queries: [seriesSql({ table, value: 'AVG(iowait_percent)' })],
        }),
        seriesPanel({
          title: 'CPU steal',
          description: 'CPU time that the hypervisor gave to others, 100 % = one core.',
          unit: units.Percent,
          queries: [seriesSql({ table, value: 'AVG(steal_percent)' })],
        }),
      ],
      [
        seriesPanel({
          title: 'CPU load',
          description: 'Load average over one minute: processes that run, wait to run or wait for a disk.',
          unit: units.Short,
          queries: [seriesSql({ table, value: 'AVG(load1)' })],
        }),
        seriesPanel({
          title: 'CPU cores',
          description: 'Cores of the machine.',
          unit: units.Short,
          queries: [seriesSql({ table, value: 'MAX(cores)' })],
        }),
      ],
    ],
  };
}
