import type { Channel } from './channel.ts';
import type { Notice } from './notice.ts';
import { postJson } from './post.ts';

const MAX_PER_POST = 100;

/** Any receiver of JSON: `{alerts: [{host, kind, state, text, at}], omitted?}`. */
export class Webhook implements Channel {
  readonly name = 'webhook';
  readonly perMinute = 60;
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async tell(notices: readonly Notice[], omitted: number, signal: AbortSignal): Promise<readonly Notice[]> {
    const told = notices.slice(0, MAX_PER_POST);
    const alerts = told.map(({ host, kind, istate, remarks, atMs }) => ({
      host,
      kind,
      state: istate === 1 ? 'alerted' : 'recovered',
      text: remarks,
      at: new Date(atMs).toISOString(),
    }));
    await postJson(this.#url, { alerts, ...(omitted > 0 && { omitted }) }, signal);
    return told;
  }
}
