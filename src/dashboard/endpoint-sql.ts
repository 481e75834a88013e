import { HOST_INFO, PORT_NET_INFO } from '../store/tables.ts';
import { indented } from './indented.ts';
import { CHOSEN_INSTANCE, HOST_KEY } from './process-sql.ts';
import { inRange, point } from './range.ts';

const ENDPOINT = 'instance, local_port, remote_address, remote_port';
/** Short, for the keys of temporary tables, as `HOST_KEY`. */
const ENDPOINT_KEY = `LEFT(UNHEX(MD5(CONCAT_WS('/', rshost, ${ENDPOINT}))), 8)`;
/** `host instance :local-port address :remote-port`; ports of the moment are left out. */
const ENDPOINT_NAME =
  "CONCAT_WS(' ', rshost, instance, CONCAT(':', NULLIF(local_port, 0)), remote_address, CONCAT(':', NULLIF(remote_port, 0)))";

/**
 * Series of the `limit` endpoints with most bytes in that direction over the range. Hosts are joined by sums alone: MariaDB
 * makes no key for a join of columns of two tables.
 */
export function endpointSeriesSql(direction: 'in' | 'out', limit: number): string {
  const column = `${direction}_bytes_per_sec`;
  const top = `SELECT ${ENDPOINT_KEY} AS endpoint, ${ENDPOINT_NAME} AS metric
FROM ${PORT_NET_INFO.name}
WHERE ${inRange()}
  AND ${CHOSEN_INSTANCE}
GROUP BY rshost, ${ENDPOINT}
ORDER BY SUM(${column}) DESC
LIMIT ${limit}`;
  const sums = `SELECT ${point()} AS time, ${HOST_KEY} AS host, ${ENDPOINT_KEY} AS endpoint, SUM(${column}) AS total
FROM ${PORT_NET_INFO.name}
WHERE ${inRange()}
  AND ${CHOSEN_INSTANCE}
GROUP BY time, host, endpoint`;
  return `SELECT s.time, t.metric, s.total / h.intervals AS value
FROM (${indented(top)}) t
JOIN (${indented(sums)}) s ON s.endpoint = t.endpoint
JOIN (${indented(hosts(`${point()} AS time, `, 'time, rshost'))}) h ON h.time = s.time AND h.host = s.host
ORDER BY s.time`;
}

/** The `limit` endpoints with most bytes of both directions over the range, as a table. */
export function endpointTableSql(limit: number): string {
  const recorded = `SELECT rshost, ${HOST_KEY} AS host_key, ${ENDPOINT},
  SUM(in_bytes_per_sec) AS total_in, MAX(in_bytes_per_sec_max) AS receive_max,
  SUM(out_bytes_per_sec) AS total_out, MAX(out_bytes_per_sec_max) AS send_max
FROM ${PORT_NET_INFO.name}
WHERE ${inRange()}
  AND ${CHOSEN_INSTANCE}
GROUP BY rshost, ${ENDPOINT}
ORDER BY SUM(in_bytes_per_sec) + SUM(out_bytes_per_sec) DESC
LIMIT ${limit}`;
  return `SELECT e.rshost AS host, e.instance, NULLIF(e.local_port, 0) AS local_port, e.remote_address,
  NULLIF(e.remote_port, 0) AS remote_port, e.total_in / h.intervals AS receive, e.receive_max,
  e.total_out / h.intervals AS send, e.send_max
FROM (${indented(recorded)}) e
JOIN (${indented(hosts('', 'rshost'))}) h ON h.host = e.host_key
ORDER BY (e.total_in + e.total_out) / h.intervals DESC`;
}

/** As of processes: endpoints are recorded in some intervals, so sums are divided by all that the host has. */
function hosts(columns: string, key: string): string {
  return `SELECT ${columns}${HOST_KEY} AS host, COUNT(*) AS intervals
FROM ${HOST_INFO.name}
WHERE ${inRange()}
GROUP BY ${key}`;
}
