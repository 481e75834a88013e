import Table from 'cli-table3';
import type { Result } from './result.ts';
import { TOOLS, type Tool } from './rig.ts';

const CAPTIONS: { readonly [tool in Tool]: string } = {
  naive: 'naive per pid',
  pidstat: 'pidstat',
  atop: 'atop',
  nethogs: 'nethogs',
  sockets: 'procmesh --net sockets',
};
const HEAD = [
  'workload',
  'what is measured',
  'truth',
  'procmesh',
  ...TOOLS.map((tool) => CAPTIONS[tool]),
  'asked',
  'met',
];

/** For a terminal. */
export function plainTable(results: readonly Result[]): string {
  const compact = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };
  const table = new Table({ head: HEAD, chars: compact, style: { head: [], border: [] } });
  for (const result of results) table.push(cells(result));
  return table.toString();
}

/** For the README. */
export function markdownTable(results: readonly Result[]): string {
  return [HEAD, HEAD.map(() => '---'), ...results.map(cells)].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** For programs: figures as they are, absent where a tool cannot say. */
export function jsonTable(results: readonly Result[]): string {
  return JSON.stringify(
    results.map(({ others, ...result }) => ({ ...result, ...others })),
    null,
    2,
  );
}

function cells(result: Result): string[] {
  return [
    result.workload,
    result.measured,
    result.truth,
    cell(result.procmesh, result.unit),
    ...TOOLS.map((tool) => cell(result.others[tool], result.unit)),
    result.asked,
    result.met === undefined ? '' : result.met ? 'yes' : 'no',
  ];
}

function cell(value: number | string | undefined, unit: Result['unit']): string {
  if (value === undefined) return '-';
  if (typeof value === 'string') return value;
  const text = value.toFixed(unit === 'MB' ? 2 : 1);
  return `${text === '-0.0' ? '0.0' : text} ${unit}`.trim();
}
