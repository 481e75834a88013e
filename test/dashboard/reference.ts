import type { Fields } from '../../src/store/records.ts';
import type { Table } from '../../src/store/table.ts';
import { HOST_INFO, PROCESS_INFO, PROCESS_IO_INFO } from '../../src/store/tables.ts';
import type { Data } from './data.ts';
import type { Question } from './question.ts';

/** Values by name of the series, then by epoch seconds. */
export type Series = Map<string, Map<number, number | null>>;

export type Figure = (row: Fields) => number | null;

/** What SQL should say, reckoned without SQL. */
export class Reference {
  readonly #data: Data;
  readonly question: Question;

  constructor(data: Data, question: Question) {
    this.#data = data;
    this.question = question;
  }

  /** The rows of the chosen hosts in the range. */
  rows(table: Table): Fields[] {
    const { hosts, from, to } = this.question;
    const rows = this.#data.get(table) ?? [];
    return rows.filter(
      ({ rshost, a_time }) => hosts.includes(String(rshost)) && from <= Number(a_time) && Number(a_time) <= to,
    );
  }

  chosen(instance: string): boolean {
    return this.question.instances?.includes(instance) ?? true;
  }

  /** The processes of chosen instances, with the name of theirs. */
  processes(): Fields[] {
    const names = new Map(this.#data.get(PROCESS_INFO)?.map((row) => [row.md5_str, row]));
    return this.rows(PROCESS_IO_INFO)
      .map((row): Fields => ({ ...names.get(row.md5_str), ...row }))
      .filter(({ instance }) => this.chosen(String(instance)));
  }

  series(rows: readonly Fields[], nameOf: (row: Fields) => string, pointOf: (rows: Fields[]) => number | null): Series {
    const series: Series = new Map();
    for (const [name, all] of Map.groupBy(rows, nameOf)) {
      const points = [...Map.groupBy(all, (row) => this.#point(row))];
      series.set(name, new Map(points.map(([time, some]) => [time, pointOf(some)])));
    }
    return series;
  }

  perHost(pointOf: (rows: Fields[]) => number | null, suffix = ''): Series {
    return this.series(this.rows(HOST_INFO), ({ rshost }) => `${rshost}${suffix}`, pointOf);
  }

  /** Rows of the host in the same point, or in the whole range. */
  hostRows(row: Fields, { whole = false } = {}): Fields[] {
    return this.rows(HOST_INFO).filter(
      (other) => other.rshost === row.rshost && (whole || this.#point(other) === this.#point(row)),
    );
  }

  #point({ a_time }: Fields): number {
    const { stepSeconds } = this.question;
    return Math.floor(Number(a_time) / stepSeconds) * stepSeconds;
  }
}

export function mean(rows: readonly Fields[], figure: string | Figure): number | null {
  const known = figuresOf(rows, figure);
  return known.length === 0 ? null : total(known) / known.length;
}

export function sum(rows: readonly Fields[], figure: string | Figure): number {
  return total(figuresOf(rows, figure));
}

export function max(rows: readonly Fields[], figure: string | Figure): number | null {
  const known = figuresOf(rows, figure);
  return known.length === 0 ? null : Math.max(...known);
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function figuresOf(rows: readonly Fields[], figure: string | Figure): number[] {
  const values = rows.map(typeof figure === 'string' ? (row): number | null => row[figure] as number | null : figure);
  return values.filter((value) => value !== null);
}

/** The sum of each process's largest, as far as the host allows, and at least the average. */
export function largestOfInstance(
  rows: readonly Fields[],
  hostRows: readonly Fields[],
  column: string,
  hostMax: string,
): number {
  const each = [...Map.groupBy(rows, ({ pid, started }) => `${pid} ${started}`).values()];
  const largest = total(each.map((of) => max(of, `${column}_max`) ?? 0));
  return Math.max(sum(rows, column) / hostRows.length, Math.min(largest, max(hostRows, hostMax) ?? 0));
}
