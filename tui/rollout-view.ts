import type { RolloutStatus } from '../src/protocol/release.ts';
import { bar } from './chart.ts';
import { BOLD, DIM, type Line, line, type Span, type Style, span } from './frame.ts';
import { type Model, openView } from './model.ts';

const BAR_WIDTH = 10;
const WARNING: Style = { fg: 'yellow', bold: true };

/** The rollout that is on the screen: above the hosts, until it is done. Of the past none is known. */
export function shownRollout(model: Model): RolloutStatus | undefined {
  const { rollout } = model;
  return openView(model).name === 'hosts' && rollout?.state !== 'done' ? rollout : undefined;
}

export function rolloutLine(columns: number, rollout: RolloutStatus): Line {
  return line(columns, [span(' '), ...rolloutSpans(rollout)]);
}

/** `release 1.3 → 12/120 hosts █·········  wave 2/3 (10 %)  1 failed  3 away`, most important first. */
export function rolloutSpans({ version, state, reason, wave, waves, counts }: RolloutStatus): Span[] {
  const name = [span('release ', DIM), span(version, BOLD)];
  if (state === 'halted') return [...name, span(` halted: ${reason ?? 'a host failed'}`, WARNING)];
  const { done, failed, away } = counts;
  const all = hostsOf(counts);
  const { filled, track } = bar(all === 0 ? 0 : done / all, BAR_WIDTH);
  const label = waves[wave - 1];
  return [
    ...name,
    span(` → ${done}/${all} hosts `),
    span(filled, { fg: 'cyan' }),
    span(track, DIM),
    ...(state === 'running' ? [] : [span(`  ${state}`, state === 'paused' ? WARNING : BOLD)]),
    span(`  wave ${wave}/${waves.length}${label === undefined ? '' : ` (${label})`}`),
    ...(failed > 0 ? [span(`  ${failed} failed`, { fg: 'red', bold: true })] : []),
    ...(away > 0 ? [span(`  ${away} away`, DIM)] : []),
    ...(reason === undefined ? [] : [span(`  ${reason}`, WARNING)]),
  ];
}

/** How many hosts are to run it. */
export function hostsOf(counts: RolloutStatus['counts']): number {
  return Object.values(counts).reduce((sum, hosts) => sum + hosts, 0);
}
