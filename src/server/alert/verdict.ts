/** What a rule finds of one thing at the moment; said again and again, as long as the rule can tell. */
export interface Verdict {
  /** Host, or server, that it is about. */
  host: string;
  kind: AlertKind;
  /** False: there is something to alert. */
  isWell: boolean;
  /** In plain words, without the host. */
  text: string;
  /** Told once for each reason, and no reminder follows; it is part of the text. */
  reason?: string;
  /** Somebody's act came to it: each is told at once, however soon after others. */
  isOfAct?: true;
}

/** What agents tell when they reach no server: the key of it in the table. */
export const WHOLE_MESH = 'procmesh';

export type AlertKind =
  | 'offline'
  | 'deploy'
  | 'release'
  | 'server'
  | 'reach'
  | 'store'
  | 'outbox'
  | 'cpu'
  | 'mem'
  | 'disk'
  | 'net';
