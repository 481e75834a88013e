import Table from 'cli-table3';

/** One line of the table: what was measured, against what, and what was asked for. */
interface Result {
  what: string;
  measured: string;
  reference: string;
  ratio: string;
  asked: string;
  met: boolean;
}

/** What a bench has found, as a table. */
export class Results {
  readonly #results: Result[] = [];

  /** @param asked of the ratio, at most; negative: at least. */
  compare(what: string, value: number, [name, reference]: [string, number], asked: number, unit: string): void {
    const ratio = value / reference;
    this.#results.push({
      what,
      measured: `${figure(value)} ${unit}`,
      reference: `${name} ${figure(reference)} ${unit}`,
      ratio: ratio.toFixed(ratio < 0.1 ? 3 : 2),
      asked: asked < 0 ? `≥ ${-asked}` : `≤ ${asked < 0.1 ? `1/${Math.round(1 / asked)}` : asked}`,
      met: asked < 0 ? ratio >= -asked : ratio <= asked,
    });
  }

  bound(what: string, value: number, unit: string, asked: number): void {
    const measured = `${figure(value)} ${unit}`;
    this.#results.push({ what, measured, reference: '', ratio: '', asked: `≤ ${asked} ${unit}`, met: value <= asked });
  }

  /** A figure for which nothing was asked. */
  note(what: string, measured: string): void {
    this.#results.push({ what, measured, reference: '', ratio: '', asked: '', met: true });
  }

  /** @param markdown also as the README has it. */
  print(markdown: boolean): void {
    const head = ['measured in one run', 'procmesh', 'beside it', 'ratio', 'asked', 'met'];
    const rows = this.#results.map((r) => [r.what, r.measured, r.reference, r.ratio, r.asked, r.met ? 'yes' : 'no']);
    printTable(head, rows, markdown);
  }
}

/** @param markdown also as the README has it. */
export function printTable(head: string[], rows: string[][], markdown: boolean): void {
  const table = new Table({ head, style: { head: [], border: [] } });
  table.push(...rows);
  process.stdout.write(`${table.toString()}\n`);
  if (!markdown) return;
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`);
  process.stdout.write(lines.join(''));
}

function figure(value: number): string {
  return value >= 1_000 ? value.toFixed(0) : value.toFixed(2);
}
