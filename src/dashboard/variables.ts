import { QueryVariableBuilder, VariableRefresh, VariableSort } from '@grafana/grafana-foundation-sdk/dashboard';
import { HOST_LAST, PROCESS_INFO, PROCESS_IO_INFO } from '../store/tables.ts';
import { indented } from './indented.ts';
import { DATA_SOURCE } from './query.ts';
import { inRange } from './range.ts';

const ALL = { selected: true, text: ['All'], value: ['$__all'] };

/** Rows that the list of instances is made of at most: it is made anew at each refresh, whether anybody looks at it or not. */
const MOST_ROWS = 1_000_000;

/**
 * All hosts that have history, of any time: a choice that is not in the list is undone, also that of a host with a gap just
 * where one looks.
 */
export function hostVariable(): QueryVariableBuilder {
  return variable('host', `SELECT rshost FROM ${HOST_LAST.name}`)
    .description('Hosts that have history.')
    .refresh(VariableRefresh.OnDashboardLoad);
}

/**
 * “All” is a condition that always holds: spelled out it would be a list of thousands of names, and a syntax error where
 * there is none.
 */
export function instanceVariable(): QueryVariableBuilder {
  const recorded = `SELECT md5_str
FROM ${PROCESS_IO_INFO.name}
WHERE ${inRange()}
LIMIT ${MOST_ROWS}`;
  const distinct = `SELECT DISTINCT md5_str FROM (${indented(recorded)}) r`;
  return variable(
    'instance',
    `SELECT DISTINCT n.instance
FROM (${indented(distinct)}) p
JOIN ${PROCESS_INFO.name} n ON n.md5_str = p.md5_str`,
  )
    .description('Instances that were recorded on the chosen hosts in the range. Any name can be typed.')
    .allValue('instance')
    .refresh(VariableRefresh.OnTimeRangeChanged);
}

function variable(name: string, sql: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(name)
    .datasource(DATA_SOURCE)
    .query(sql)
    .definition(sql)
    .multi(true)
    .includeAll(true)
    .allowCustomValue(true)
    .sort(VariableSort.AlphabeticalAsc)
    .current(ALL);
}
