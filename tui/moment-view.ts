import { formatAge, formatClock, formatInstant } from './format.ts';
import { DIM, type Span, type Style, span } from './frame.ts';
import { type Dated, type Model, shownData } from './model.ts';
import { askedOf, serverNowMs } from './rewind.ts';

/** Of the whole first line, so that nobody takes the past for the present, with and without colours. */
export const PAST_STYLE: Style = { fg: 'yellow', bold: true, inverse: true };

/** An answer that takes longer than this is said to be waited for. */
const SLOW_MS = 1_000;

/** `2026-11-24 03:12:00   3 h ago   ◀ past`: the moment that is shown, or that is looked for while there is none. */
export function momentSpans(model: Model): Span[] {
  const { moment, nowMs } = model;
  if (moment.state !== 'past') return [];
  const asked = new Date(moment.atMs).toISOString();
  const { at } = shownData(model) ?? { at: asked };
  const { isAwaited = true, sinceMs = nowMs } = askedOf(model) ?? {};
  const isSlow = isAwaited && nowMs - sinceMs >= SLOW_MS;
  const more = isSlow ? `asking ${formatClock(asked)}` : `${formatAge(serverNowMs(model) - Date.parse(at))} ago`;
  return [span(`  ${formatInstant(at)}   ${more}   ${moment.isPlaying ? '▶ playing' : '◀ past'}`)];
}

/** Of the past, what the figures are: `  averages of 03:11:30–03:12:00`. */
export function averagesOf({ from, at }: Dated): Span[] {
  return from === undefined ? [] : [span(`  averages of ${formatClock(from)}–${formatClock(at)}`, { fg: 'yellow' })];
}

/** In place of figures where there are none. */
export function nothingThen(reason = 'nothing was recorded then'): Span[][] {
  return [[span(reason)], ...wayOn()];
}

/** How to get on from a moment that shows nothing. */
export function wayOn(): Span[][] {
  return [[], [span('[ and ] step on from here, L returns to the present', DIM)]];
}
