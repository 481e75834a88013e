import { BOLD, DIM, type Line, line, type Span, span, width } from './frame.ts';
import { fit } from './text.ts';

const KEYS: readonly [string, string][] = [
  ['1  2', 'hosts; processes of the whole fleet'],
  ['Enter  Esc', 'open a host, process or group; back (Backspace)'],
  ['↑ ↓ j k', 'select; PgUp PgDn Home End g G go further'],
  ['← → < >', 'sort by the column to the left or to the right'],
  ['c m r w i o', 'sort by CPU, memory, read, write, net in, net out'],
  ['t', 'group by instance, user, command name, or not at all'],
  ['/  x', 'filter: mysqld, user:mysql, cpu:>50, NOT bash; x clears it'],
  ['[ ]  { }', 'rewind: one interval back, one on; ten of them'],
  ['@  L', 'go to a time (03:12, -15m); live again'],
  ['p  q', 'pause, in the past play (Space); quit (Ctrl-C)'],
];

const NOTES: readonly string[] = [
  'CPU: 100 is one core. READ, WRITE, NET-IN, NET-OUT: bytes per second.',
  '0 is a measured zero, - is not known. Bars of CPU, MEM and DISK are shares',
  'of the machine, those of NET are relative to the most that was seen.',
  'unattributed: what the machine did and no process accounts for. With it and',
  'the others, those not shown, a table adds up to its machine.',
];

const KEY_WIDTH = 14;
const INNER = 76;

/** A box in the middle of the screen; where there is no room for all of it, the keys. */
export function helpLines(columns: number, height: number): Line[] {
  const inner = Math.min(INNER, columns - 4);
  const keys = KEYS.map(([key, does]) => [span(fit(key, KEY_WIDTH), BOLD), span(does)]);
  const notes = NOTES.map((note) => [span(note, DIM)]);
  const all: Span[][] = [...keys, [], ...notes];
  const content = all.length + 2 > height ? keys : all;
  const side = Math.floor((columns - inner - 4) / 2);
  const margin = span(' '.repeat(side));
  const edge = (left: string, text: Span[], right: string) => {
    const rest = '─'.repeat(inner + 2 - width(text));
    return line(columns, [margin, span(left, DIM), ...text, span(rest + right, DIM)]);
  };
  const box = [
    edge('┌', [span('─', DIM), span(' keys ', BOLD)], '┐'),
    ...content.map((spans) => line(columns, [margin, span('│ ', DIM), ...line(inner, spans), span(' │', DIM)])),
    edge('└', [], '┘'),
  ];
  const above = Math.max(Math.floor((height - box.length) / 2), 0);
  return [...Array.from({ length: above }, () => line(columns, [])), ...box];
}
