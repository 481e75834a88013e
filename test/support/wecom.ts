import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

const PER_MINUTE = 20;
const MAX_BYTES = 2_048;

/** How it misbehaves instead of answering. */
export type Mood = 'well' | 'fails' | 'hangs' | 'babbles' | 'redirects' | 'hangs up' | 'floods';

/** A local server that answers as WeCom's group robot does, and takes what any webhook is sent. */
export class WecomStandIn {
  readonly key = 'test-key';
  /** Texts that the robot took. */
  readonly texts: string[] = [];
  /** Of each of them: the address that it came from, and `by` of the URL that it was sent to. */
  readonly senders: { address: string; by: string }[] = [];
  /** Bodies of every request, parsed. */
  readonly bodies: unknown[] = [];
  mood: Mood = 'well';
  /** Requests that count against the limit; a test moves time on by emptying it. */
  recent = 0;
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #heard: (() => void)[] = [];

  static async start(t: TestContext, address = '127.0.0.1'): Promise<WecomStandIn> {
    const standIn = new WecomStandIn();
    standIn.#server.listen(0, address);
    await once(standIn.#server, 'listening');
    t.after(() => {
      standIn.#server.close();
      standIn.#server.closeAllConnections();
    });
    return standIn;
  }

  get url(): string {
    return this.#url(`/cgi-bin/webhook/send?key=${this.key}`);
  }

  get webhookUrl(): string {
    return this.#url('/hook?secret=x');
  }

  get connections(): Promise<number> {
    return new Promise((resolve) => this.#server.getConnections((_, count) => resolve(count)));
  }

  /** Resolves with the next request. */
  async heard(): Promise<void> {
    await new Promise<void>((resolve) => this.#heard.push(resolve));
  }

  /** Resolves when so many requests have come altogether. */
  async requests(count: number): Promise<void> {
    while (this.bodies.length < count) await this.heard();
  }

  #url(path: string): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address}:${port}${path}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    this.bodies.push(parsed(body));
    this.#respond(request, response, body);
    for (const resolve of this.#heard.splice(0)) resolve();
  }

  #respond(request: IncomingMessage, response: ServerResponse, body: string): void {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    switch (this.mood) {
      case 'fails':
        response.writeHead(500).end('oops');
        return;
      case 'hangs':
        return;
      case 'hangs up':
        request.socket.destroy();
        return;
      case 'babbles':
        response.end('<html>captive portal</html>');
        return;
      case 'floods':
        response.on('drain', () => response.write('x'.repeat(100_000)));
        while (response.write('x'.repeat(100_000)));
        return;
      case 'redirects':
        response.writeHead(302, { location: this.#url('/elsewhere') }).end();
        return;
    }
    if (pathname !== '/cgi-bin/webhook/send') response.end('ok');
    else response.end(JSON.stringify(this.#robot(searchParams, parsed(body), request.socket.remoteAddress)));
  }

  #robot(asked: URLSearchParams, message: unknown, address = ''): { errcode: number; errmsg: string } {
    if (asked.get('key') !== this.key)
      return { errcode: 93_000, errmsg: 'invalid webhook url, hint: [1], from ip: 127.0.0.1' };
    this.recent += 1;
    if (this.recent > PER_MINUTE) return { errcode: 45_009, errmsg: 'api freq out of limit, hint: [2]' };
    const { msgtype, text } = (message ?? {}) as { msgtype?: string; text?: { content?: string } };
    if (msgtype !== 'text' || typeof text?.content !== 'string')
      return { errcode: 40_008, errmsg: 'invalid message type' };
    if (Buffer.byteLength(text.content) > MAX_BYTES)
      return { errcode: 40_058, errmsg: 'text.content exceed max length 2048. invalid Request Parameter' };
    this.texts.push(text.content);
    this.senders.push({ address, by: asked.get('by') ?? '' });
    return { errcode: 0, errmsg: 'ok' };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
