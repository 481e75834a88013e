import type { Channel } from './channel.ts';
import { Webhook } from './webhook.ts';
import { WecomRobot } from './wecom.ts';

/** Those that are set; an empty URL is not. */
export function openChannels({ wecomUrl, webhookUrl }: { wecomUrl: string; webhookUrl: string }): Channel[] {
  return [
    ...(wecomUrl === '' ? [] : [new WecomRobot(wecomUrl)]),
    ...(webhookUrl === '' ? [] : [new Webhook(webhookUrl)]),
  ];
}
