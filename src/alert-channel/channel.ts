import type { Notice } from './notice.ts';

/** Somewhere that people look. */
export interface Channel {
  /** As people call it. */
  readonly name: string;
  /** Messages that it takes in a minute. */
  readonly perMinute: number;
  /**
   * Sends one message, with a deadline.
   * @param omitted how many more there were than could be kept.
   * @returns the notices that it held; at least one.
   * @throws Problem `ERR_ALERT_AWAY`, `ERR_ALERT_REFUSED`, `ERR_ALERT_LIMIT`; the signal's reason when it is aborted.
   */
  tell(notices: readonly Notice[], omitted: number, signal: AbortSignal): Promise<readonly Notice[]>;
}
