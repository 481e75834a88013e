import type { Exits } from './attribution/exits.ts';
import type { Outbox } from './history/outbox.ts';
import type { Sampler } from './sampler.ts';
import type { Snapshot } from './snapshot.ts';
import type { Sources } from './sources.ts';

const MAX_LENGTH = 500;

/** What an agent cannot know or keep now, in plain words; undefined when there is nothing. */
export function limitation(
  { ioHidden, processes }: Snapshot,
  { outbox, sampler, sources }: { outbox: Outbox; sampler: Sampler; sources: Sources },
): string | undefined {
  const mend = process.getuid?.() === 0 ? 'by the kernel' : 'from this user: run the agent as root';
  const parts = [
    outbox.problem,
    outbox.dropped > 0 ? `${outbox.dropped} intervals were dropped` : undefined,
    ioHidden > 0 ? `disk use of ${ioHidden} of ${processes.size} processes is hidden ${mend}` : undefined,
    sampler.networkProblem?.message ?? sources.network?.limitation,
    exitsLimitation(sources.exits),
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join('; ').slice(0, MAX_LENGTH);
}

function exitsLimitation(exits: Exits | undefined): string | undefined {
  if (exits?.problem !== undefined) return `processes that end are not told any more (${exits.problem.message})`;
  if (exits === undefined || exits.overruns === 0) return undefined;
  return `processes ended faster than they could be counted, ${exits.overruns} times`;
}
