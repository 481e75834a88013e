import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Agent } from '../../src/agent/agent.ts';
import { type NetworkBytes, type NetworkReading, type NetworkSource, noBytes } from '../../src/agent/network/source.ts';
import { type Libc, openLibc } from '../../src/kernel/libc.ts';
import type { Interval } from '../../src/protocol/interval.ts';
import { intervalMessageSchema } from '../../src/protocol/message.ts';
import { FakeProc, ioLines } from '../support/fake-proc.ts';
import { scratchFolder } from '../support/scratch.ts';
import { Clock } from './clock.ts';
import { type Connection, FakeServer } from './fake-server.ts';

export const GUARD = { timeout: 10_000 };
/** On a whole minute. */
export const NOON = Date.UTC(2026, 6, 1, 12);

/** An agent of a machine of plain files, some milliseconds after noon; all clocks are the test's, and nothing is left to chance. */
export async function setUp(t: TestContext) {
  const clock = new Clock(t, NOON + 100);
  const random = t.mock.method(Math, 'random', () => 0);
  const dir = scratchFolder(t);
  const proc = new FakeProc(dir);
  proc.process({ pid: 7, comm: 'mysqld', utime: 100 }, { io: ioLines(0, 0), cmdline: 'mysqld\0--port=3307\0' });
  const server = await FakeServer.start(t);
  const troubles: string[] = [];
  const network = new FakeNetwork();
  // Refuses whatever it is asked for.
  const trim = t.mock.fn();
  const libc: Libc = { ...openLibc(), socket: () => -1, trim };
  const sources = { network, exits: undefined, refusals: { network: [], exits: [] }, close: () => network.close() };
  const start = (servers = [server.url]): Agent => {
    const agent = new Agent({
      host: 'db1',
      version: '1.2.3',
      servers,
      token: () => 'token',
      dataDir: join(dir, 'data', 'agent'),
      procRoot: proc.procRoot,
      sysRoot: proc.sysRoot,
      passwdPath: proc.passwdPath,
      kernel: { libc },
      openSources: () => sources,
    });
    agent.on('trouble', (error) => troubles.push(error.message));
    t.after(() => agent.stop());
    agent.start();
    return agent;
  };
  const agent = start();
  const connection = await server.connection();
  await connection.next('hello');
  return { clock, dir, proc, server, agent, start, troubles, connection, network, trim, random };
}

/** Tells what it is told to, once. */
class FakeNetwork implements NetworkSource {
  readonly name = 'bpf';
  readonly limitation = undefined;
  isClosed = false;
  #next: NetworkReading = { processes: new Map(), endpoints: [] };

  tell(pid: number, bytes: Partial<NetworkBytes>): void {
    const { inBytes = 0, outBytes = 0 } = bytes;
    this.#next.processes.set(pid, { ...noBytes(), ...bytes });
    this.#next.endpoints.push({ pid, localPort: 3307, remotePort: 0, remoteAddress: '10.0.0.9', inBytes, outBytes });
  }

  read(): NetworkReading {
    const reading = this.#next;
    this.#next = { processes: new Map(), endpoints: [] };
    return reading;
  }

  close(): void {
    this.isClosed = true;
  }
}

export async function welcomed(connection: Connection, settings = {}): Promise<void> {
  connection.welcome(settings);
  await connection.settled();
}

/** Lets time pass no faster than heartbeats are answered. */
export async function pass(clock: Clock, connection: Connection, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    clock.advance(Math.min(left, 1_000));
    await connection.settled();
  }
}

export async function nextInterval(connection: Connection): Promise<Interval> {
  return intervalMessageSchema.parse(await connection.next('interval')).interval;
}
