const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const LEVELS = '▁▂▃▄▅▆▇█';

/**
 * A horizontal bar in exactly `columns` cells: what is filled, in eighths of a cell, and the rest of the track.
 * @param share 0–1; anything outside is clamped. Something above zero is never drawn as nothing.
 */
export function bar(share: number, columns: number): { filled: string; track: string } {
  const eighths = Math.round(Math.min(Math.max(share, 0), 1) * columns * 8);
  const shown = share > 0 ? Math.max(eighths, 1) : eighths;
  const filled = '█'.repeat(shown >> 3) + EIGHTHS[shown & 7];
  return { filled, track: '·'.repeat(Math.max(columns - filled.length, 0)) };
}

/**
 * The newest values as one line of exactly `columns` cells, newest at the right; what is not known is blank and a
 * measured zero is the lowest block.
 * @param ceiling The value that fills a cell.
 */
export function sparkline(values: readonly (number | undefined)[], ceiling: number, columns: number): string {
  const shown = values.slice(-columns).map((value) => {
    if (value === undefined) return ' ';
    const level = ceiling > 0 ? Math.ceil((value / ceiling) * LEVELS.length) - 1 : 0;
    return LEVELS[Math.min(Math.max(level, 0), LEVELS.length - 1)];
  });
  return shown.join('').padStart(columns);
}
