/**
 * `id` numbers itself; `hash` is an MD5; `name` at most 255, `path` 500, `text` more; `time` is an instant in whole
 * seconds, `epochMs` one in ms since 1970; `whole` is at most `LARGEST_WHOLE`; `figure` a double.
 */
export type ColumnKind = 'id' | 'hash' | 'name' | 'path' | 'text' | 'time' | 'epochMs' | 'whole' | 'figure';

export const LARGEST_WHOLE = 2 ** 31 - 1;
export const LONGEST_PATH = 500;

export interface Column {
  name: string;
  kind: ColumnKind;
  /** What it means, for those who read the tables by hand. */
  comment: string;
  /** Absent is NULL. All others are NOT NULL. */
  optional?: true;
}

export interface Table {
  name: string;
  comment: string;
  columns: readonly Column[];
  /** Primary key. */
  key: readonly string[];
  unique?: string;
  index?: string;
}

/** First of the key of nearly every table. */
export const RSHOST: Column = { name: 'rshost', kind: 'name', comment: 'host' };
