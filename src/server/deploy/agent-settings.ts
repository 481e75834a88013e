import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { alertAccessSchema } from '../../alert-channel/access.ts';
import { Problem } from '../../problem.ts';

/** Where everything lies in the folder that an agent is installed in. */
export const LAYOUT = {
  /** It says that the folder is ours. */
  marker: '.procmesh',
  /** A link to the release that runs. */
  current: 'current',
  releases: 'releases',
  /** Pieces of a release that is on its way, by their SHA-256. */
  incoming: 'releases/.incoming',
  runtimes: 'runtime',
  settings: 'etc/agent.json',
  token: 'etc/agent.token',
  /** Outbox, lock and log: what a later deployment keeps. */
  data: 'data',
  /** The pid of the agent once it works; it stays when the agent ends otherwise than it was told to. */
  pid: 'data/agent.pid',
  log: 'data/agent.log',
  /** What was said on standard error since the last start. */
  errors: 'data/stderr.log',
  /** It starts the agent, and takes back a release that fails. */
  launcher: 'launch',
  /** The pid of the launcher; it stays when the launcher ends otherwise than it was told to. */
  launcherPid: 'data/launcher.pid',
  /** `NEW OLD SECONDS SERIAL` in one line, exactly as long as the release NEW is on trial. */
  trial: 'data/trial',
  /** Such a line of a release that did not stay, and below it the reason. */
  failed: 'data/failed',
  /** Why the agent died last, when it was not told to end. */
  ended: 'data/ended',
  /** Started by cron where there is no systemd. */
  keeper: 'keep-running',
} as const;

const text = z.string().check(z.minLength(1), z.maxLength(2_000));

/** What an agent on a host is told by the server that put it there, in `etc/agent.json`. */
const agentSettingsSchema = z.object({
  host: text,
  /** Of agents whose release has no manifest. */
  version: z.optional(text),
  servers: z.array(text).check(z.minLength(1), z.maxLength(100)),
  pin: z.optional(text),
  /** The public key that releases are signed by: the raw 32 bytes of Ed25519 in base64. */
  releaseKey: z.optional(text),
  /** `PATH` of the agent; absent: as it was started with. */
  path: z.optional(text),
  alerts: z.optional(alertAccessSchema),
});
export type AgentSettings = z.infer<typeof agentSettingsSchema>;

/** @returns one line of ASCII, so that no shell and no locale can change it. */
export function writeAgentSettings(settings: AgentSettings): string {
  return JSON.stringify(settings).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** @throws Problem when they are not there or not what the server writes. */
export function readAgentSettings(folder: string): AgentSettings {
  const file = join(folder, LAYOUT.settings);
  try {
    return agentSettingsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'it is damaged';
    throw new Problem(
      'ERR_DEPLOYED',
      `the settings ${file} cannot be read (${code}): have the server deploy this host again`,
      { exitCode: 2, cause },
    );
  }
}
