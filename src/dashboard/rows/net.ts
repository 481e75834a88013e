import * as units from '@grafana/grafana-foundation-sdk/units';
import { HOST_INFO, NET_INFO } from '../../store/tables.ts';
import { endpointSeriesSql, endpointTableSql } from '../endpoint-sql.ts';
import { dashed, type Panel, type Row, seriesPanel, tablePanel } from '../panel.ts';
import { seriesSql } from '../series-sql.ts';

const TOP_SERIES = 20;
const TOP_ROWS = 50;

export function netRow(): Row {
  return {
    title: 'NET',
    lines: [
      [hostPanel('net receive', 'in', 'received'), hostPanel('net send', 'out', 'sent')],
      [
        seriesPanel({
          title: 'net total',
          description: 'Bytes received and sent together by the interfaces that count for the host, without loopback.',
          unit: units.BytesPerSecondSI,
          queries: [seriesSql({ table: HOST_INFO, value: 'AVG(net_in_bytes_per_sec + net_out_bytes_per_sec)' })],
        }),
        seriesPanel({
          title: 'net speed',
          description: 'Speed of each interface, in each direction. Virtual interfaces have none.',
          unit: units.BitsPerSecondSI,
          queries: [seriesSql({ table: NET_INFO, part: 'interface', value: 'MAX(speed_bits_per_sec)' })],
        }),
      ],
      [interfacePanel('receive', 'in', 'received'), interfacePanel('send', 'out', 'sent')],
      [endpointPanel('receive', 'in', 'received from'), endpointPanel('send', 'out', 'sent to')],
      [
        tablePanel({
          title: 'net by port and remote address',
          description: `The ${TOP_ROWS} pairs of an instance and a remote address with most bytes over the range: averages over all of it, and the largest samples. A port that one side was given just for the moment is left out.`,
          unit: units.BytesPerSecondSI,
          sql: endpointTableSql(TOP_ROWS),
          columns: { local_port: [{ id: 'unit', value: 'string' }], remote_port: [{ id: 'unit', value: 'string' }] },
        }),
      ],
    ],
  };
}

type Direction = 'in' | 'out';

function hostPanel(title: string, direction: Direction, done: string): Panel {
  const column = `net_${direction}_bytes_per_sec`;
  return seriesPanel({
    title,
    description: `Bytes ${done} by the interfaces that count for the host, without loopback: average, and the largest sample.`,
    unit: units.BytesPerSecondSI,
    queries: [
      seriesSql({ table: HOST_INFO, value: `AVG(${column})` }),
      dashed(seriesSql({ table: HOST_INFO, value: `MAX(${column}_max)`, suffix: 'max' })),
    ],
  });
}

function interfacePanel(title: string, direction: Direction, done: string): Panel {
  const [table, part, column] = [NET_INFO, 'interface', `${direction}_bytes_per_sec`];
  return seriesPanel({
    title: `net ${title} by interface`,
    description: `Bytes ${done} by each interface: average, and the largest sample.`,
    unit: units.BytesPerSecondSI,
    queries: [
      seriesSql({ table, part, value: `AVG(${column})` }),
      dashed(seriesSql({ table, part, value: `MAX(${column}_max)`, suffix: 'max' })),
    ],
  });
}

function endpointPanel(title: string, direction: Direction, done: string): Panel {
  return seriesPanel({
    title: `net ${title} by port and remote address`,
    description: `Bytes ${done} remote addresses by instances, the ${TOP_SERIES} largest over the range: host, instance, local port if it is served there, remote address, remote port if it is served there.`,
    unit: units.BytesPerSecondSI,
    queries: [endpointSeriesSql(direction, TOP_SERIES)],
  });
}
