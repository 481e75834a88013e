import { inAscii } from './ascii.ts';
import { bannerLine, footerLine, headerLine } from './chrome.ts';
import { detailsLines } from './details-view.ts';
import { formatInstant } from './format.ts';
import { BOLD, DIM, type Frame, faded, type Line, line, type Span, span, width } from './frame.ts';
import { helpLines } from './help-view.ts';
import { hostsLines } from './hosts-view.ts';
import { bodyHeight, sizeNeeded } from './layout.ts';
import { isPast, type Model, openView } from './model.ts';
import { nothingThen, wayOn } from './moment-view.ts';
import { processesLines } from './processes-view.ts';
import { wrap } from './text.ts';

/**
 * What the terminal shows: `model.rows` lines of exactly `model.columns` cells.
 * @param charset `ascii` where the locale is not UTF-8.
 */
export function view(model: Model, charset: 'unicode' | 'ascii'): Frame {
  const frame = unicodeFrame(model);
  return charset === 'ascii' ? inAscii(frame) : frame;
}

function unicodeFrame(model: Model): Frame {
  const { columns, rows } = model;
  const needed = sizeNeeded(model);
  if (needed !== undefined) {
    const regret = wrap(`${columns}×${rows} is too small, ${needed} is needed`, columns);
    return filled(
      centred(
        columns,
        rows,
        regret.map((text) => [span(text, BOLD)]),
      ),
      columns,
      rows,
    );
  }
  const body = filled(bodyLines(model), columns, bodyHeight(model));
  const isTrue = model.connection.state !== 'gone' || model.helping;
  return [headerLine(model), ...bannerLine(model), ...(isTrue ? body : body.map(faded)), footerLine(model)];
}

function bodyLines(model: Model): Line[] {
  const { columns } = model;
  const height = bodyHeight(model);
  const open = openView(model);
  const say = (text: string) => centred(columns, height, [[span(text, DIM)]]);
  if (model.helping) return helpLines(columns, height);
  const { refusal } = model;
  if (refusal !== undefined && (refusal.to === 'hosts') === (open.name === 'hosts')) {
    const text = wrap(refusal.text, columns - 8).map((part) => [span(part, { fg: 'red' })]);
    return centred(columns, height, [...text, ...wayOut(model)]);
  }
  const nothing = (reason?: string) => centred(columns, height, nothingThen(reason));
  switch (open.name) {
    case 'hosts':
      if (model.hosts === undefined) return say(waiting(model));
      if (model.hosts.rows.length === 0) return isPast(model) ? nothing() : say('no hosts yet');
      return hostsLines(model, open, model.hosts, height);
    case 'processes':
      if (open.data === undefined) return say(waiting(model));
      if (isPast(model) && open.data.totals.length === 0) return nothing(open.data.incomplete[0]?.reason);
      return processesLines(model, open, open.data, height);
    case 'process':
      if (isPast(model) && open.seen === undefined) return say(waiting(model));
      return detailsLines(model, open).slice(open.scroll);
  }
}

function waiting({ connection, moment }: Model): string {
  if (connection.state !== 'live') return 'connecting to the server';
  if (moment.state !== 'past') return 'waiting for the first sample';
  return `asking what there was at ${formatInstant(new Date(moment.atMs).toISOString())}`;
}

/** How to get on from a refusal: of the past it may be the moment that is refused, or the filter. */
function wayOut(model: Model): Span[][] {
  const view = openView(model);
  const isFilter = view.name === 'processes' && (view.filter !== undefined || !isPast(model));
  const filter = isFilter ? [[], [span('/ types a filter, x clears it', DIM)]] : [];
  return isPast(model) ? [...filter, ...wayOn()] : filter;
}

/** Lines in the middle of so many. */
function centred(columns: number, height: number, lines: readonly Span[][]): Line[] {
  const above = Math.max(Math.floor((height - lines.length) / 2), 0);
  return [...Array.from({ length: above }, () => []), ...lines].map((spans) => {
    const margin = span(' '.repeat(Math.max(Math.floor((columns - width(spans)) / 2), 0)));
    return line(columns, [margin, ...spans]);
  });
}

/** Exactly so many lines. */
function filled(lines: readonly Line[], columns: number, height: number): Line[] {
  const missing = Math.max(height - lines.length, 0);
  return [...lines.slice(0, height), ...Array.from({ length: missing }, () => line(columns, []))];
}
