import { AnnotationQueryBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { ALERT_INFO } from '../store/tables.ts';
import { DATA_SOURCE, query } from './query.ts';
import { inRange } from './range.ts';

/** Marks in all panels: when something of the chosen hosts was alerted, and when it recovered. */
export function annotations(): AnnotationQueryBuilder[] {
  return [annotation('alerts', 'red', 1), annotation('recoveries', 'green', 0)];
}

function annotation(name: string, color: string, state: 0 | 1): AnnotationQueryBuilder {
  const sql = `SELECT UNIX_TIMESTAMP(a_time) AS time, CONCAT(rshost, ': ', remarks) AS text, kind AS tags
FROM ${ALERT_INFO.name}
WHERE ${inRange()}
  AND istate = ${state}
ORDER BY time`;
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATA_SOURCE)
    .enable(true)
    .iconColor(color)
    .target(query('Anno', 'table', sql));
}
