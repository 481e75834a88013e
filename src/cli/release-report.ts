import { formatInstant, UNKNOWN } from '../../tui/format.ts';
import { hostsOf } from '../../tui/rollout-view.ts';
import { clean } from '../../tui/text.ts';
import { type RolloutStatus, shortHash, UPGRADE_PHASES } from '../protocol/release.ts';
import { type Column, formatTable } from './table.ts';

type HostStatus = RolloutStatus['hosts'][number];

/** With more hosts those that are done are left out of the table: what is left needs somebody's eye. */
const MAX_WITH_DONE = 20;

const COLUMNS: Column<HostStatus>[] = [
  { caption: 'HOST', text: ({ host }) => host },
  { caption: 'PHASE', text: ({ phase }) => phase },
  { caption: 'VERSION', text: ({ version }) => version ?? UNKNOWN },
  { caption: 'RELEASE', text: ({ hash }) => (hash === undefined ? UNKNOWN : shortHash(hash)) },
  { caption: 'REASON', fills: true, text: ({ reason }) => reason ?? '' },
];

/** How a rollout stands, for people: a line, why it is so, and a table of its hosts. */
export function formatRollout(rollout: RolloutStatus, width: number | undefined): string {
  const { version, hash, releasedAt, reason, previous } = rollout;
  const released = formatInstant(releasedAt).slice(0, -3);
  const lines = [`release ${version} (${shortHash(hash)}), released ${released}, ${progressOf(rollout)}`];
  if (reason !== undefined) lines.push(`reason: ${reason}`);
  if (previous !== undefined) lines.push(`the release before it: ${previous.version} (${shortHash(previous.hash)})`);
  const hosts = shownHosts(rollout);
  const table = hosts.length === 0 ? [] : ['', formatTable(COLUMNS, hosts, width)];
  return [...lines.map(clean), ...table].join('\n');
}

/** `wave 2 of 3 (10 %), running: 12 of 120 hosts done, 1 failed, 3 away`; the wave as long as it is one. */
export function progressOf({ state, wave, waves, counts }: RolloutStatus): string {
  const label = waves[wave - 1];
  const begun = label === undefined ? `wave ${wave} of ${waves.length}` : `wave ${wave} of ${waves.length} (${label})`;
  const others = UPGRADE_PHASES.filter((phase) => phase !== 'done' && counts[phase] > 0);
  const done = `${counts.done} of ${hostsOf(counts)} hosts done`;
  return [
    ...(state === 'done' ? [] : [begun]),
    [`${state}: ${done}`, ...others.map((phase) => `${counts[phase]} ${phase === 'trial' ? 'on trial' : phase}`)].join(
      ', ',
    ),
  ].join(', ');
}

/** What the table leaves out, and how to see it. */
export function leftOut(rollout: RolloutStatus): string[] {
  const { hosts, counts } = rollout;
  const done = hosts.length - shownHosts(rollout).length;
  const beyond = hostsOf(counts) - hosts.length;
  return [
    ...(done > 0 ? [`without those that are done (${done}): --json names them`] : []),
    ...(beyond > 0 ? [`without ${beyond} more: a larger --limit names them`] : []),
  ];
}

function shownHosts({ hosts }: RolloutStatus): readonly HostStatus[] {
  return hosts.length > MAX_WITH_DONE ? hosts.filter(({ phase }) => phase !== 'done') : hosts;
}
