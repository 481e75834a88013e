import type { Unreachable } from '../../protocol/message.ts';
import { CUT_OFF } from '../../protocol/reconnect.ts';
import type { MeshServer } from '../../store/fleet.ts';
import { isAlive } from '../alive.ts';
import type { Verdict } from './verdict.ts';

/** Agents say it only when they connect; what nobody has said for so long is over. */
const REPORTED_MS = 5 * 60_000;
const MAX_HOSTS = 1_000;

interface Reports {
  hosts: Set<string>;
  reason: string;
  lastAt: number;
}

/** Servers that live and that agents cannot reach all the same, by what agents say on their way to another one. */
export class ReachRule {
  /** By URL. */
  readonly #reports = new Map<string, Reports>();

  /** An agent could not reach that one before it came here. A server that was started again has closed its connections. */
  report(host: string, { server, reason }: Unreachable, now: number): void {
    if (!CUT_OFF.has(reason)) return;
    const reports = this.#reports.get(server) ?? { hosts: new Set(), reason: '', lastAt: now };
    if (reports.hosts.size < MAX_HOSTS) reports.hosts.add(host);
    reports.reason = reason;
    reports.lastAt = now;
    this.#reports.set(server, reports);
  }

  get hasReports(): boolean {
    return this.#reports.size > 0;
  }

  /** What is not listed has ended or never was; of one that is silent another rule tells. */
  judge(servers: readonly MeshServer[], now: number): Verdict[] {
    const verdicts: Verdict[] = [];
    for (const [url, { hosts, reason, lastAt }] of this.#reports) {
      const isWell = now - lastAt >= REPORTED_MS;
      if (isWell) this.#reports.delete(url);
      const server = servers.find((listed) => originOf(listed.url) === originOf(url));
      if (server === undefined || (!isWell && !isAlive(server))) continue;
      const [first, ...others] = hosts;
      const who = others.length === 0 ? `${first}` : `${first} and ${others.length} more`;
      const text = isWell ? 'every host reaches it again' : `server lives, but cannot be reached by ${who}: ${reason}`;
      verdicts.push({ host: server.name, kind: 'reach', isWell, text });
    }
    return verdicts;
  }
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
