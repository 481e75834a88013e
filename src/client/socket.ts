import { MAX_SERVER_FRAME_BYTES } from '../protocol/codec.ts';
import { ReconnectingSocket } from '../protocol/reconnect.ts';

const HEARTBEAT_MS = 3_000;
/** Somebody waits in front of a screen. */
const MAX_DELAY_MS = 2_000;

/** Which server, and as whom. */
export interface ClientOptions {
  /** The server's base, `wss://10.0.0.5:9300`. */
  url: string;
  token: string;
  /** See `ReconnectOptions`. */
  pin?: string | undefined;
  heartbeatMs?: number;
}

/** A connection to one of a server's paths, for a person's program; not dialled yet. */
export function clientSocket(path: string, { url, token, pin, heartbeatMs }: ClientOptions): ReconnectingSocket {
  return new ReconnectingSocket({
    urls: [new URL(path, url).href],
    token: () => token,
    pin: () => pin,
    maxPayloadBytes: MAX_SERVER_FRAME_BYTES,
    heartbeatMs: heartbeatMs ?? HEARTBEAT_MS,
    maxDelayMs: MAX_DELAY_MS,
  });
}
