import type { AgentRelease } from '../release/agent-release.ts';
import type { Runtime } from '../release/runtime.ts';
import { LAYOUT } from './agent-settings.ts';
import type { Installation } from './service.ts';

/** In the folder of a release: what it holds, in the words that are signed, and their signature in base64. */
export const MANIFEST_FILE = 'manifest.json';
export const SIGNATURE_FILE = 'manifest.sig';

/** What a host is to have. */
export interface Target extends Installation {
  release: AgentRelease;
  /** Undefined: the host's own is used. */
  runtime: Runtime | undefined;
  /** What the link `node` in the folder of the release leads to: the runtime, seen from there, or the host's own. */
  node: string;
  /** One line each. */
  manifest: { text: string; signature: string };
  /** Contents of the agent's settings and token, one line each. */
  settings: string;
  token: string;
}

/** Where a runtime lies within the folder. */
export function runtimePath({ hash }: Runtime): string {
  return `${LAYOUT.runtimes}/${hash}/node`;
}

/** Where a release lies within the folder. */
export function releasePath({ hash }: AgentRelease): string {
  return `${LAYOUT.releases}/${hash}`;
}
