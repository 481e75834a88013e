import * as units from '@grafana/grafana-foundation-sdk/units';
import { DISK_INFO, DISK_UTIL_QU_INFO, HOST_INFO } from '../../store/tables.ts';
import { dashed, type Panel, type Row, seriesPanel } from '../panel.ts';
import { inRange, point, timeInRange } from '../range.ts';
import { seriesName, seriesSql } from '../series-sql.ts';

export function diskRow(): Row {
  return {
    title: 'DISK',
    lines: [
      [
        seriesPanel({
          title: 'disk utilisation',
          description: `Time with a request in flight, 100 % = all of it: average, and the largest sample. ${OF_DEVICE}`,
          unit: units.Percent,
          queries: [deviceSql('AVG(u.util_percent)'), dashed(deviceSql('MAX(u.util_percent_max)', 'max'))],
        }),
        seriesPanel({
          title: 'disk queue',
          description: `Requests in flight: average, and the largest sample. ${OF_DEVICE}`,
          unit: units.Short,
          queries: [deviceSql('AVG(u.queue)'), dashed(deviceSql('MAX(u.queue_max)', 'max'))],
        }),
      ],
      [
        seriesPanel({
          title: 'disk read',
          description: `What the device really read. ${OF_DEVICE}`,
          unit: units.BytesPerSecondSI,
          queries: [deviceSql('AVG(u.read_bytes_per_sec)')],
        }),
        seriesPanel({
          title: 'disk write',
          description: `What the device really wrote. ${OF_DEVICE}`,
          unit: units.BytesPerSecondSI,
          queries: [deviceSql('AVG(u.write_bytes_per_sec)')],
        }),
      ],
      [
        mountPanel('disk used', 'Space taken in each file system.', units.BytesIEC, 'AVG(used_bytes)'),
        mountPanel('disk free', 'Size of each file system less what is taken.', units.BytesIEC, FREE),
      ],
      [
        mountPanel('disk total', 'Size of each file system.', units.BytesIEC, 'MAX(total_bytes)'),
        mountPanel('disk used, share', 'Space taken, 100 % = all of the file system.', units.Percent, SHARE),
      ],
      [
        hostPanel(
          'read',
          'Bytes that processes and kernel read from the disks; what the page cache had does not count',
        ),
        hostPanel('write', 'Bytes that processes and kernel wrote, at the moment a page was dirtied'),
      ],
    ],
  };
}

const OF_DEVICE = 'Figures are of the device below the mount point: mount points of one device show the same.';
const FREE = 'AVG(total_bytes - used_bytes)';
const SHARE = '100 * AVG(used_bytes / total_bytes)';

function mountPanel(title: string, description: string, unit: string, value: string): Panel {
  return seriesPanel({
    ...{ title, description, unit },
    queries: [seriesSql({ table: DISK_INFO, part: 'mount', value })],
  });
}

function hostPanel(direction: 'read' | 'write', description: string): Panel {
  const column = `${direction}_bytes_per_sec`;
  return seriesPanel({
    title: `${direction} of the host`,
    description: `${description}: average, and the largest sample. “device” is what the disks really did meanwhile.`,
    unit: units.BytesPerSecondSI,
    queries: [
      seriesSql({ table: HOST_INFO, value: `AVG(${column})` }),
      dashed(seriesSql({ table: HOST_INFO, value: `MAX(${column}_max)`, suffix: 'max' })),
      seriesSql({ table: HOST_INFO, value: `AVG(device_${column})`, suffix: 'device' }),
    ],
  });
}

/**
 * One series per mount point of a figure that its device has. Joined row by row, by the whole primary key. The instants are
 * compared once more: where local time has an hour twice, `a_time` of both may be found equal.
 */
function deviceSql(value: string, suffix?: string): string {
  return `SELECT ${point('m')} AS time, ${seriesName(['m.rshost', 'm.mount'], suffix)} AS metric, ${value} AS value
FROM ${DISK_INFO.name} m
JOIN ${DISK_UTIL_QU_INFO.name} u ON u.rshost = m.rshost AND u.a_time = m.a_time AND u.device = m.device
  AND UNIX_TIMESTAMP(u.a_time) = UNIX_TIMESTAMP(m.a_time)
WHERE ${inRange('m')}
  AND ${timeInRange('u')}
GROUP BY time, m.rshost, m.mount
ORDER BY time`;
}
