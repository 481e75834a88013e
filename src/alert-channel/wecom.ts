import * as z from 'zod/mini';
import { Problem } from '../problem.ts';
import type { Channel } from './channel.ts';
import type { Notice } from './notice.ts';
import { postJson } from './post.ts';
import { digest } from './text.ts';

/** https://developer.work.weixin.qq.com/document/path/91770: content of a text at most, UTF-8. */
const MAX_TEXT_BYTES = 2_048;
/** The robot takes 20 in a minute; what agents and other servers say when all goes wrong has to fit in too. */
const PER_MINUTE = 18;
/** https://developer.work.weixin.qq.com/document/path/90313: called too often. */
const TOO_OFTEN = 45_009;

const answerSchema = z.object({ errcode: z.int(), errmsg: z.optional(z.string()) });

/** A group robot of WeCom; the key in its URL is a secret. */
export class WecomRobot implements Channel {
  readonly name = 'WeCom';
  readonly perMinute = PER_MINUTE;
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async tell(notices: readonly Notice[], omitted: number, signal: AbortSignal): Promise<readonly Notice[]> {
    const { text, told } = digest(notices, omitted, MAX_TEXT_BYTES);
    const answer = parsed(await postJson(this.#url, { msgtype: 'text', text: { content: text } }, signal));
    if (answer?.errcode === 0) return told;
    if (answer === undefined) throw new Problem('ERR_ALERT_AWAY', 'the answer of WeCom cannot be read');
    if (answer.errcode === TOO_OFTEN)
      throw new Problem('ERR_ALERT_LIMIT', 'WeCom takes no more messages for a minute (errcode 45009)');
    const reason = `errcode ${answer.errcode}${answer.errmsg === undefined ? '' : `, ${plain(answer.errmsg)}`}`;
    throw new Problem('ERR_ALERT_REFUSED', `WeCom refuses the message (${reason}): check [MSM] wx_url`);
  }
}

function parsed(text: string): z.infer<typeof answerSchema> | undefined {
  try {
    return answerSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What WeCom says goes on with hints, numbers of requests and addresses. */
function plain(message: string): string {
  return (
    message
      .split(',', 1)[0]
      ?.slice(0, 100)
      .replace(/\p{Cc}+/gu, ' ') ?? ''
  );
}
