import type { Notice } from './notice.ts';

/** More of one kind are told in one line, by the names of their hosts. */
const MOST_ALIKE = 5;
/** Of one line: each message holds several. */
const MAX_LINE_BYTES = 600;
const TITLE = 'procmesh';
/** `\nand 1000 more, see the log` */
const OMITTED_BYTES = 40;

/** Cut behind a whole character, as people see it, so that it takes at most so many bytes of UTF-8. */
export function cut(text: string, maxBytes: number): string {
  const whole = text.toWellFormed();
  if (Buffer.byteLength(whole) <= maxBytes) return whole;
  let bytes = Buffer.byteLength('…');
  let end = 0;
  for (const { segment, index } of new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(whole)) {
    bytes += Buffer.byteLength(segment);
    if (bytes > maxBytes) break;
    end = index + segment.length;
  }
  return `${whole.slice(0, end)}…`;
}

/**
 * One line for each notice, or for all of a kind where there are many.
 * @param omitted how many more there were than could be kept.
 * @returns the text, at most so many bytes of UTF-8, and the notices it holds: at least the first.
 */
export function digest(
  notices: readonly Notice[],
  omitted: number,
  maxBytes: number,
): { text: string; told: Notice[] } {
  const told: Notice[] = [];
  let text = TITLE;
  for (const alike of inLines(notices)) {
    const next = `${text}\n${cut(line(alike), MAX_LINE_BYTES)}`;
    if (told.length > 0 && Buffer.byteLength(next) > maxBytes - OMITTED_BYTES) continue;
    text = next;
    told.push(...alike);
  }
  return { text: cut(omitted === 0 ? text : `${text}\nand ${omitted} more, see the log`, maxBytes), told };
}

/** Those that share a line. */
function inLines(notices: readonly Notice[]): Notice[][] {
  const kinds = Map.groupBy(notices, ({ kind, istate }) => `${kind} ${istate}`);
  return [...kinds.values()].flatMap((alike) => (alike.length > MOST_ALIKE ? [alike] : alike.map((one) => [one])));
}

function line(alike: readonly Notice[]): string {
  const [first] = alike;
  if (first === undefined) return '';
  const start = `${new Date(first.atMs).toISOString().slice(11, 19)}Z ${first.istate === 1 ? 'ALERT' : 'OK'}`;
  const rest =
    alike.length === 1 ? `${first.host}: ${first.remarks}` : `${first.kind}, ${alike.length} hosts: ${names(alike)}`;
  return `${start} ${rest}`.replace(/\p{Cc}+/gu, ' ');
}

/** As many as the line has room for. */
function names(alike: readonly Notice[]): string {
  const named: string[] = [];
  let bytes = 0;
  for (const { host } of alike) {
    bytes += Buffer.byteLength(host) + 2;
    if (named.length > 0 && bytes > MAX_LINE_BYTES - 100) break;
    named.push(host);
  }
  const left = alike.length - named.length;
  return `${named.join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
}
