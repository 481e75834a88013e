import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { text } from 'node:stream/consumers';

/** What a server answers to GET, whatever its certificate; on a connection of its own, which is gone afterwards. */
export async function readBody(url: string): Promise<string> {
  const get = url.startsWith('https:') ? httpsGet : httpGet;
  return new Promise((resolve, reject) => {
    get(url, { agent: false, rejectUnauthorized: false }, (response) => text(response).then(resolve, reject)).on(
      'error',
      reject,
    );
  });
}
