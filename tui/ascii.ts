import type { Frame } from './frame.ts';
import { cells } from './text.ts';

/** What the views and charts draw with; every one takes a single cell, and so does its stand-in. */
const STAND_INS = new Map(
  Object.entries({
    ...{ '─': '-', '│': '|', '┌': '+', '┐': '+', '└': '+', '┘': '+' },
    ...{ '·': '.', '…': '~', '›': '>', '▼': 'v', '↑': '^', '↓': 'v', '←': '<', '→': '>' },
    ...{ '●': '*', '◐': '+', '○': 'o', '✗': '!', '◀': '<', '▶': '>', '▲': '!', '–': '-' },
    ...{ '█': '#', '▉': '#', '▊': '#', '▋': '#', '▌': '=', '▍': '=', '▎': '-', '▏': '-' },
    ...{ '▁': '_', '▂': '.', '▃': ':', '▄': '-', '▅': '=', '▆': '+', '▇': '*' },
  }),
);
const NOT_ASCII = /[^\x20-\x7e]/u;

/** The same frame, cell for cell, for a terminal whose locale is not UTF-8: lines and charts become ASCII, foreign text `?`. */
export function inAscii(frame: Frame): Frame {
  return frame.map((line) => line.map(({ text, style }) => ({ text: plain(text), style })));
}

function plain(text: string): string {
  if (!NOT_ASCII.test(text)) return text;
  let out = '';
  for (const point of text) out += STAND_INS.get(point) ?? (NOT_ASCII.test(point) ? '?'.repeat(cells(point)) : point);
  return out;
}
