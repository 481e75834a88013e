import * as units from '@grafana/grafana-foundation-sdk/units';
import { HOST_INFO } from '../../store/tables.ts';
import { dashed, type Row, seriesPanel } from '../panel.ts';
import { seriesSql } from '../series-sql.ts';

const table = HOST_INFO;

export function memoryRow(): Row {
  return {
    title: 'MEMORY',
    lines: [
      [
        seriesPanel({
          title: 'memory used',
          description:
            'Total less what programs could still get (caches can be given up): average, and the largest sample.',
          unit: units.BytesIEC,
          queries: [
            seriesSql({ table, value: 'AVG(mem_used_bytes)' }),
            dashed(seriesSql({ table, value: 'MAX(mem_used_bytes_max)', suffix: 'max' })),
          ],
        }),
        seriesPanel({
          title: 'memory free',
          description: 'What programs could still get, caches that can be given up included.',
          unit: units.BytesIEC,
          queries: [seriesSql({ table, value: 'AVG(mem_total_bytes - mem_used_bytes)' })],
        }),
      ],
      [
        seriesPanel({
          title: 'memory total',
          description: 'Memory of the machine.',
          unit: units.BytesIEC,
          queries: [seriesSql({ table, value: 'MAX(mem_total_bytes)' })],
        }),
        seriesPanel({
          title: 'memory used, share',
          description: 'Used memory, 100 % = all of the machine.',
          unit: units.Percent,
          queries: [seriesSql({ table, value: '100 * AVG(mem_used_bytes / mem_total_bytes)' })],
        }),
      ],
    ],
  };
}
