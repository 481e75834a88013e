import WebSocket from 'ws';
import { SUBPROTOCOL } from '../../../src/protocol/message.ts';
import { type Manifest, manifestSchema } from '../../../src/protocol/release.ts';
import { usage } from '../../store/sample.ts';

const BEAT_MS = 2_000;
const RECONNECT_MS = 4_000;
/** As real agents take them: the self-test, the handover, the start, and the first interval after it. */
const TEST_MS = 1_000;
const HANDOVER_MS = 500;
const START_MS = 500;
const FIRST_INTERVAL_MS = 2_000;
/** What comes most is not parsed: the herd shares the machine with the server. */
const CHUNK = /^\{"type":"chunk".*?"data":"/;

export interface HerdRelease {
  hash: string;
  serial: number;
  version: string;
  isOnTrial?: true;
}

export interface HerdAgentOptions {
  host: string;
  url: string;
  token: string;
  /** What it runs at first. */
  release: HerdRelease;
  /** SHA-256 of files that it has. */
  known: ReadonlySet<string>;
  /** An `interval` message. */
  interval: (startMs: number, endMs: number) => string;
  onPushed: () => void;
  onReceived: (bytes: number) => void;
  onConfirmed: () => void;
}

/** Does what an agent does on the wire, verifies nothing and keeps nothing. */
export class HerdAgent {
  readonly #options: HerdAgentOptions;
  #release: HerdRelease;
  #socket: WebSocket | undefined;
  #beats: NodeJS.Timeout | undefined;
  #lastEndMs = Date.now();
  /** Not stored yet. */
  #waiting: string | undefined;
  #manifest: Manifest | undefined;
  #lacking: { sha256: string; bytes: number }[] = [];
  #offset = 0;
  #received = 0;

  constructor(options: HerdAgentOptions) {
    this.#options = options;
    this.#release = options.release;
  }

  connect(inMs: number): void {
    setTimeout(() => this.#open(), inMs);
  }

  endInterval(endMs: number): void {
    if (endMs <= this.#lastEndMs) return;
    this.#waiting = this.#options.interval(this.#lastEndMs, endMs);
    this.#lastEndMs = endMs;
    this.#write(this.#waiting);
  }

  #open(): void {
    const { host, url, token } = this.#options;
    const socket = new WebSocket(url, SUBPROTOCOL, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      rejectUnauthorized: false,
    });
    this.#socket = socket;
    socket.on('open', () => {
      const { version, ...running } = this.#release;
      const release = { ...running, architecture: process.arch };
      this.#send({ type: 'hello', host, version, outbox: { waiting: 0, dropped: 0 }, release });
    });
    socket.on('message', (data) => this.#onMessage(data as Buffer));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(this.#beats);
      this.connect(this.#manifest === undefined ? Math.random() * RECONNECT_MS : START_MS);
      this.#manifest = undefined;
    });
  }

  #onMessage(data: Buffer): void {
    const head = data.toString('latin1', 0, 150);
    const chunk = CHUNK.exec(head);
    if (chunk !== null) this.#onChunk(data.length - chunk[0].length - '"}'.length, data);
    else this.#onOther(data.toString());
  }

  #onOther(text: string): void {
    const message = JSON.parse(text);
    if (message.type === 'welcome') this.#onWelcome();
    else if (message.type === 'ack') this.#waiting = undefined;
    else if (message.type === 'upgrade') this.#onUpgrade(manifestSchema.parse(JSON.parse(message.manifest)));
    else if (message.type === 'confirm') {
      const { isOnTrial: _, ...release } = this.#release;
      this.#release = release;
      this.#send({ type: 'upgraded', serial: release.serial, state: 'confirmed' });
      this.#options.onConfirmed();
    } else if (message.type === 'revert') throw new Error(`${this.#options.host}: ${message.reason}`);
  }

  #onWelcome(): void {
    const beat = (): void =>
      this.#send({
        ...{ type: 'beat', atMs: Date.now(), usage: usage(), culprits: {} },
        agent: { cpuPercent: 0.5, rssBytes: 5e7, sampleMs: BEAT_MS },
      });
    beat();
    this.#beats = setInterval(beat, BEAT_MS);
    if (this.#waiting !== undefined) this.#write(this.#waiting);
    if (this.#release.isOnTrial)
      setTimeout(() => this.endInterval(Math.floor(Date.now() / 1_000) * 1_000), FIRST_INTERVAL_MS);
  }

  #onUpgrade(manifest: Manifest): void {
    const { known, onPushed } = this.#options;
    const { files, serial } = manifest;
    this.#manifest = manifest;
    // The Node.js that all of them run on stays the same.
    this.#lacking = files.filter(({ sha256 }) => !known.has(sha256));
    this.#offset = 0;
    this.#received = 0;
    onPushed();
    this.#send({ type: 'upgraded', serial, state: 'receiving' });
    this.#want();
  }

  #want(): void {
    const [file] = this.#lacking;
    if (file !== undefined) this.#send({ type: 'want', sha256: file.sha256, offset: this.#offset });
    else if (this.#manifest !== undefined) this.#test(this.#manifest);
  }

  #onChunk(length: number, data: Buffer): void {
    const padding = data.toString('latin1', data.length - 4, data.length - 2).split('=').length - 1;
    const bytes = (length / 4) * 3 - padding;
    this.#offset += bytes;
    this.#received += bytes;
    if (this.#offset >= (this.#lacking[0]?.bytes ?? 0)) {
      this.#lacking.shift();
      this.#offset = 0;
    }
    this.#want();
  }

  #test({ hash, serial, version }: Manifest): void {
    this.#options.onReceived(this.#received);
    this.#send({ type: 'upgraded', serial, state: 'testing' });
    setTimeout(() => {
      this.#send({ type: 'upgraded', serial, state: 'starting' });
      this.#release = { hash, serial, version, isOnTrial: true };
      setTimeout(() => {
        this.endInterval(Math.floor(Date.now() / 1_000) * 1_000);
        this.#socket?.close(1000);
      }, HANDOVER_MS);
    }, TEST_MS);
  }

  #send(message: object): void {
    this.#write(JSON.stringify(message));
  }

  #write(text: string): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }
}
