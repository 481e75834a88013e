import type { AgentProvision, Deployer } from '../../src/server/deploy/deployer.ts';

/** Works on no host: it notes what it was told, and takes as long as a test lets it. */
export class FakeDeployer implements Deployer {
  readonly installed = new Map<string, AgentProvision>();
  /** Each call, oldest first: `install web-1`. */
  readonly calls: string[] = [];
  /** What is under way now, by host. */
  readonly underWay = new Set<string>();
  /** Most hosts worked on at the same time. */
  most = 0;
  /** Resolves or rejects each work; what it is told of the signal is its own matter. */
  onWork: (rshost: string, onPhase: (phase: string) => void, signal: AbortSignal) => Promise<void> = async () =>
    undefined;

  async install(
    rshost: string,
    provision: AgentProvision,
    onPhase: (phase: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#work('install', rshost, onPhase, signal);
    this.installed.set(rshost, provision);
  }

  async replaceToken(rshost: string, token: string, signal: AbortSignal): Promise<void> {
    await this.#work('replaceToken', rshost, () => undefined, signal);
    const provision = this.installed.get(rshost);
    if (provision !== undefined) this.installed.set(rshost, { ...provision, token });
  }

  async remove(rshost: string, onPhase: (phase: string) => void, signal: AbortSignal): Promise<void> {
    await this.#work('remove', rshost, onPhase, signal);
    this.installed.delete(rshost);
  }

  async #work(name: string, rshost: string, onPhase: (phase: string) => void, signal: AbortSignal): Promise<void> {
    this.calls.push(`${name} ${rshost}`);
    if (this.underWay.has(rshost)) throw new Error(`${rshost} is worked on twice at the same time`);
    this.underWay.add(rshost);
    this.most = Math.max(this.most, this.underWay.size);
    try {
      onPhase('connecting');
      await this.onWork(rshost, onPhase, signal);
    } finally {
      this.underWay.delete(rshost);
    }
  }
}
