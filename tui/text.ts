import stringWidth from 'string-width';

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
const BLANK = /[\t\n\v\f\r\p{Zs}\p{Zl}\p{Zp}]/u;
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}\p{Mc}]/u;
const ACCENT = /\p{Mn}/u;
/** Zero-width joiners, variation selectors, bidirectional overrides, skin tones: they change how their neighbours are drawn. */
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Me}\p{Emoji_Modifier}]/u;
/** A pair of these is one flag in some terminals and two boxes in others. */
const FLAG_HALF = /\p{Regional_Indicator}/u;
const REPLACEMENT = '\ufffd';
const MAX_ACCENTS = 2;

/**
 * Text that may be written to a terminal as it stands. Names and command lines belong to whoever started the process:
 * control characters (and with them every escape sequence), unpaired surrogates and unassigned code points become `�`,
 * white space becomes a blank, and what joins or reorders its neighbours is left out, so that each remaining code point
 * takes the same cells in every terminal, whichever clusters it knows.
 */
export function clean(text: string): string {
  if (PRINTABLE_ASCII.test(text)) return text;
  let cleaned = '';
  let accents = MAX_ACCENTS;
  for (const point of text.normalize('NFC')) {
    if (BLANK.test(point)) {
      cleaned += ' ';
      accents = MAX_ACCENTS;
    } else if (INVISIBLE.test(point)) {
    } else if (ACCENT.test(point)) {
      if (accents < MAX_ACCENTS) cleaned += point;
      accents += 1;
    } else {
      cleaned += VISIBLE.test(point) && !FLAG_HALF.test(point) ? point : REPLACEMENT;
      accents = 0;
    }
  }
  return cleaned;
}

/** Terminal cells that cleaned text takes. */
export function cells(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  let sum = 0;
  for (const point of text) sum += stringWidth(point);
  return sum;
}

/** Any text, cleaned, in exactly so many cells: padded, or cut with an ellipsis. */
export function fit(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  if (columns <= 0) return '';
  let shown = clean(text);
  let taken = cells(shown);
  if (taken > columns) {
    shown = `${head(shown, columns - 1)}…`;
    taken = cells(shown);
  }
  const padding = ' '.repeat(columns - taken);
  return align === 'left' ? shown + padding : padding + shown;
}

/** Any text, cleaned, as lines of at most so many cells, broken at blanks where a word fits on one line. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (let word of clean(text).split(' ')) {
    if (line !== '' && cells(line) + 1 + cells(word) > columns) {
      lines.push(line);
      line = '';
    } else if (line !== '') line += ' ';
    while (cells(word) > columns) {
      const part = head(word, columns);
      lines.push(part);
      word = word.slice(part.length);
    }
    line += word;
  }
  if (line !== '') lines.push(line);
  return lines;
}

/** The longest beginning of cleaned text that fits; an accent stays with its letter. */
function head(text: string, columns: number): string {
  let end = 0;
  let taken = 0;
  for (const point of text) {
    taken += stringWidth(point);
    if (taken > columns) break;
    end += point.length;
  }
  return text.slice(0, end);
}
