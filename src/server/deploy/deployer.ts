import type { AlertAccess } from '../../alert-channel/access.ts';

/** What a host's agent is given. */
export interface AgentProvision {
  /** What the host is called: the agent speaks for it. */
  host: string;
  token: string;
  /** URLs of servers, the agent's first one first. */
  servers: readonly string[];
  /** SHA-256 of the servers' certificate; undefined where it is verified by its authority. */
  pin: string | undefined;
  /** The public key that releases are signed by: the raw 32 bytes of Ed25519 in base64. */
  releaseKey: string;
  /** MySQL of the alerts, for the moment in which no server is left. */
  alerts: AlertAccess | undefined;
}

/**
 * Works on hosts over SSH. Every method tells in plain words what it is doing, can be repeated after it failed at any
 * point, leaves nothing half-done behind, and rejects with a `Problem` (`ERR_DEPLOY_…`) whose message is the one reason.
 */
export interface Deployer {
  /**
   * Puts runtime and agent there, where they are not yet, and has the agent started, now and at every boot. The first
   * phase is about reaching the host: from the second on there may be something to take away again.
   */
  install(
    rshost: string,
    provision: AgentProvision,
    onPhase: (phase: string) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Gives an installed agent another token. */
  replaceToken(rshost: string, token: string, signal: AbortSignal): Promise<void>;
  /** Stops the agent and takes away everything that `install` made. */
  remove(rshost: string, onPhase: (phase: string) => void, signal: AbortSignal): Promise<void>;
}
