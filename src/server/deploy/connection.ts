import type { Duplex } from 'node:stream';
import ssh2, { type Client, type ClientChannel, type ConnectConfig, type SFTPWrapper } from 'ssh2';
import { Problem } from '../../problem.ts';
import { connectProblem, hostKeyProblem } from './connect-problem.ts';
import type { Destination } from './destination.ts';
import type { KnownHosts } from './known-hosts.ts';
import { loginOf } from './login.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Three unanswered ones end the connection: an sshd that hangs is noticed in 20 s. */
const KEEPALIVE_MS = 5_000;
/** Of what a script may print. */
const MAX_OUTPUT_BYTES = 4 << 20;
/** Without SHA-1, and with what processors have instructions for first. */
const ALGORITHMS = {
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes192-ctr', 'aes256-ctr'],
} satisfies ConnectConfig['algorithms'];
const HOST_KEY_TYPES = [
  ...['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  ...['rsa-sha2-512', 'rsa-sha2-256'],
] as const;

/** What a script did. Bytes are kept as they are: one character each (latin1). */
export interface Finished {
  /** Of the script; undefined when a signal ended it. */
  code: number | undefined;
  stdout: string;
  stderr: string;
}

interface Terms {
  knownHosts: KnownHosts;
  /** No key of the host is known, and it shows this one, which is taken for its own. */
  onFirstKey: (destination: Destination, key: Buffer) => void;
  signal: AbortSignal;
}

/** One SSH connection, over others where the way leads over hosts between. */
export class SshConnection {
  readonly #destination: Destination;
  readonly #client: Client;
  readonly #signal: AbortSignal;
  /** The connections on the way, the farthest last. */
  readonly #before: SshConnection | undefined;
  /** Why the connection ended. */
  #ended: Error | undefined;

  private constructor(destination: Destination, before: SshConnection | undefined, signal: AbortSignal) {
    this.#destination = destination;
    this.#before = before;
    this.#signal = signal;
    this.#client = new ssh2.Client();
    this.#client.on('close', () => {
      this.#ended ??= new Error('the connection was closed');
    });
  }

  /** @throws Problem (`ERR_DEPLOY_…`) with the one reason why it cannot be made. */
  static async open(destination: Destination, terms: Terms): Promise<SshConnection> {
    let connection: SshConnection | undefined;
    for (const hop of [...destination.jumps, destination]) {
      const next: SshConnection = new SshConnection(hop, connection, terms.signal);
      try {
        await next.#connect(terms);
      } catch (error) {
        next.close();
        throw error;
      }
      connection = next;
    }
    // There is the destination itself at least.
    return connection as SshConnection;
  }

  get user(): string {
    return this.#destination.user;
  }

  /**
   * Runs a script of the shell and gives it `input` on its standard input. It is a constant: data belongs in the input.
   * @throws Problem when it does not end in that time or the connection is lost.
   */
  run(script: string, input: string, timeoutMs: number): Promise<Finished> {
    if (script.includes("'")) throw new RangeError('a script must have no single quotes');
    return this.step(timeoutMs, (resolve, reject) => {
      this.#client.exec(`exec /bin/sh -c '${script}'`, (error, channel) => {
        if (error) reject(error);
        else collect(channel, resolve, reject).end(Buffer.from(input, 'latin1'));
      });
    });
  }

  /** @throws Problem when there is no SFTP. */
  sftp(): Promise<SFTPWrapper> {
    return this.step(CONNECT_TIMEOUT_MS, (resolve, reject) => {
      this.#client.sftp((error, sftp) => {
        if (error === undefined) resolve(sftp);
        else if (this.#ended === undefined)
          reject(
            new Problem(
              'ERR_DEPLOY_SFTP',
              `its sshd has no SFTP (${error.message}): enable its subsystem sftp in sshd_config`,
              { cause: error },
            ),
          );
        else reject(error);
      });
    });
  }

  /**
   * Waits for an answer of the host within a time, while the connection stands and the work is wanted.
   * @param start must settle it; what it rejects with, other than a Problem, is taken for a lost connection. Where the
   *   answer comes in parts, `goOn` gives each of them the whole time.
   */
  step<Value>(
    timeoutMs: number,
    start: (resolve: (value: Value) => void, reject: (error: Error) => void, goOn: () => void) => void,
  ): Promise<Value> {
    const { name, isJump } = this.#destination;
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    const onClose = (): void => reject(this.#ended ?? new Error('the connection was closed'));
    const onAbort = (): void => reject(this.#signal.reason as Error);
    const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    this.#client.on('close', onClose);
    this.#signal.addEventListener('abort', onAbort);
    if (this.#signal.aborted) onAbort();
    else if (this.#ended !== undefined) onClose();
    else start(resolve, reject, () => timer.refresh());
    return promise
      .catch((error) => {
        if (error instanceof Problem || this.#signal.aborted) throw error;
        throw new Problem(
          'ERR_DEPLOY_LOST',
          `the connection${isJump ? ` to ${name}` : ''} was lost (${error.message}): it is tried again`,
          { cause: error },
        );
      })
      .finally(() => {
        clearTimeout(timer);
        this.#client.off('close', onClose);
        this.#signal.removeEventListener('abort', onAbort);
      });
  }

  /** Hangs up, on the way back too. Not by `end`, after which `destroy` does nothing: it would wait for the host to hang up. */
  close(): void {
    this.#client.destroy();
    this.#before?.close();
  }

  async #connect({ knownHosts, onFirstKey, signal }: Terms): Promise<void> {
    const destination = this.#destination;
    const login = loginOf(destination);
    const sock = this.#before === undefined ? undefined : await this.#before.#forward(destination);
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort);
    const known = knownHosts.keyTypes(destination.keyName, destination.port);
    let refusedKey: Problem | undefined;
    this.#client.on('ready', () => resolve());
    this.#client.on('error', (error) => {
      // An agent that does not answer is one way less to be let in.
      if (error.level === 'agent') return;
      this.#ended ??= error;
      reject(refusedKey ?? connectProblem(error, destination, login));
    });
    this.#client.on('close', () => reject(refusedKey ?? connectProblem(this.#ended, destination, login)));
    // ssh2 times the handshake, but neither the look-up of a name nor the TCP connection.
    const timer = setTimeout(() => {
      reject(connectProblem(Object.assign(new Error('time is up'), { code: 'ETIMEDOUT' }), destination, login));
    }, CONNECT_TIMEOUT_MS);
    this.#client.connect({
      ...(sock === undefined ? { host: destination.host, port: destination.port } : { sock }),
      username: destination.user,
      readyTimeout: CONNECT_TIMEOUT_MS,
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: 3,
      authHandler: login.methods,
      algorithms: { ...ALGORITHMS, serverHostKey: preferred(known) },
      hostVerifier: (key: Buffer) => {
        const verdict = knownHosts.check(destination.keyName, destination.port, key);
        if (verdict.is === 'known') return true;
        if (verdict.is === 'unknown') {
          onFirstKey(destination, key);
          return true;
        }
        refusedKey = hostKeyProblem(verdict, destination);
        return false;
      },
    });
    await promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    });
  }

  /** A stream to where this connection's host reaches the next one. */
  #forward({ host, port }: Destination): Promise<Duplex> {
    return this.step(CONNECT_TIMEOUT_MS, (resolve, reject) => {
      this.#client.forwardOut('127.0.0.1', 0, host, port, (error, stream) => {
        if (error === undefined) resolve(stream);
        else
          reject(
            new Problem(
              'ERR_DEPLOY_UNREACHABLE',
              `${host} port ${port} cannot be reached over ${this.#destination.name} (${error.message})`,
              { cause: error },
            ),
          );
      });
    });
  }
}

/** Kinds that are known of a host come first: it is to show the key that can be checked. */
function preferred(known: readonly string[]): (typeof HOST_KEY_TYPES)[number][] {
  const isKnown = (type: string): boolean => known.includes(type.startsWith('rsa-sha2') ? 'ssh-rsa' : type);
  return [...HOST_KEY_TYPES.filter(isKnown), ...HOST_KEY_TYPES.filter((type) => !isKnown(type))];
}

function collect(
  channel: ClientChannel,
  resolve: (finished: Finished) => void,
  reject: (error: Error) => void,
): ClientChannel {
  const output = { stdout: '', stderr: '' };
  const keep = (name: keyof typeof output) => (chunk: Buffer) => {
    output[name] += chunk.toString('latin1');
    if (output[name].length > MAX_OUTPUT_BYTES) reject(new Error('it says too much'));
  };
  channel.on('data', keep('stdout'));
  channel.stderr.on('data', keep('stderr'));
  channel.on('error', reject);
  let code: number | undefined;
  channel.on('exit', (exitCode: number | null) => {
    code = exitCode ?? undefined;
  });
  channel.on('close', () => resolve({ code, ...output }));
  return channel;
}
