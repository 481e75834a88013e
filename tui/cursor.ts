/** Where a table stands. The selection is a row's identity, so that it stays on its row while the order changes. */
export interface Cursor {
  /** Identity of the selected row; `undefined` until somebody moves: then it is whatever row is first. */
  readonly key: string | undefined;
  /** Index of the selected row. */
  readonly index: number;
  /** Index of the first row on the screen. */
  readonly scroll: number;
}

export const TOP: Cursor = { key: undefined, index: 0, scroll: 0 };

/** Moves the selection by some rows, as far as there are any. */
export function moved(cursor: Cursor, by: number, keys: readonly string[], height: number): Cursor {
  const index = Math.min(Math.max(cursor.index + by, 0), Math.max(keys.length - 1, 0));
  return settled({ ...cursor, key: keys[index], index }, keys, height);
}

/**
 * Fits a cursor to rows that have changed or to another number of visible rows: the selected row is found again, or
 * else whatever took its place is selected, and the screen scrolls no further than it must to show it.
 */
export function settled(cursor: Cursor, keys: readonly string[], height: number): Cursor {
  const last = Math.max(keys.length - 1, 0);
  const found = cursor.key === undefined ? -1 : keys.indexOf(cursor.key);
  const index = found >= 0 ? found : Math.min(cursor.index, last);
  const lowest = Math.max(keys.length - height, 0);
  const scroll = Math.min(Math.max(Math.min(cursor.scroll, index), index - height + 1), lowest);
  return {
    key: cursor.key === undefined ? undefined : keys[index],
    index,
    scroll: Math.max(scroll, 0),
  };
}
