import WebSocket from 'ws';

/** Heartbeats that may be missed. With one every 3 s, silence is noticed after 9.0 to 9.5 s. */
const MISSED_HEARTBEATS = 3;
const TICKS_PER_HEARTBEAT = 6;

/**
 * One end's watch over an open connection: pings, and tells when nothing has come for three heartbeats. Both ends keep
 * one, so that each notices by itself when the link or the other machine is gone and no packet says so.
 */
export class Heartbeat {
  readonly #socket: WebSocket;
  readonly #onSilence: () => void;
  readonly #timer: NodeJS.Timeout;
  #ticks = 0;
  /**
   * Silence is counted in ticks of this process, not taken from the clock: one that was stopped, or whose loop was
   * blocked, has had a single tick when it goes on, with all that came meanwhile still to be read.
   */
  #silentTicks = 0;

  constructor(socket: WebSocket, options: { everyMs: number; onSilence: () => void }) {
    this.#socket = socket;
    this.#onSilence = options.onSilence;
    this.#timer = setInterval(() => this.#tick(), Math.floor(options.everyMs / TICKS_PER_HEARTBEAT));
    for (const event of ['ping', 'pong', 'message'] as const) socket.on(event, () => this.#heard());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #heard(): void {
    this.#silentTicks = 0;
  }

  #tick(): void {
    this.#silentTicks += 1;
    if (this.#silentTicks > MISSED_HEARTBEATS * TICKS_PER_HEARTBEAT) {
      this.stop();
      this.#onSilence();
      return;
    }
    this.#ticks += 1;
    if (this.#ticks % TICKS_PER_HEARTBEAT === 0 && this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }
}
