import { setTimeout as delay } from 'node:timers/promises';
import type { TestHost } from '../../support/test-host/test-host.ts';
import { printTable } from '../results.ts';
import { AlertMesh } from './alert-mesh.ts';

const FOLDER = '/opt/procmesh';
const AGENT_PID = `$(cat ${FOLDER}/data/agent.pid)`;
/** From the start a server misses nobody for so long. */
const GRACE_MS = 32_000;
/** Whoever says it a second time does so by then. */
const ECHO_MS = 3_000;

export interface AlertTime {
  what: string;
  /** From what went wrong until the robot was told, seconds. */
  alertedS: number;
  by: string;
  /** Alerts, and words that it is over. */
  messages: { alerts: number; recoveries: number };
  /** From what set it right until the robot was told, seconds. */
  recoveredS: number;
}

interface Trouble {
  what: string;
  /** As it is called in the messages. */
  subject: string;
  /** Other troubles are measured meanwhile: messages on this one count alone. */
  isOneOfMany?: true;
  begin: () => unknown;
  end: () => unknown;
}

/** Troubles of a real mesh: when, how often and by whom people are told of each. */
export async function alertTimes(progress: (text: string) => void): Promise<AlertTime[]> {
  const mesh = new AlertMesh();
  const onInterrupt = (): void => void mesh.close().then(() => process.exit(130));
  process.once('SIGINT', onInterrupt);
  try {
    progress('a mesh that alerts');
    await mesh.open();
    await delay(GRACE_MS);
    progress('agents that are killed, cut off and stopped');
    const troubles = hostTroubles(mesh.hosts);
    const times = await Promise.all(troubles.map((trouble) => measured(mesh, { ...trouble, isOneOfMany: true })));
    const [holder, other] = await mesh.byLease();
    progress('the server that has the lease is killed');
    times.push(
      await measured(mesh, {
        what: 'server with the lease killed (kill -9), another one is left',
        subject: mesh.nameOf(holder),
        begin: () => holder.command?.kill('SIGKILL'),
        end: () => holder.start(),
      }),
    );
    progress('both servers are killed');
    times.push(
      await measured(mesh, {
        what: 'both servers killed',
        subject: 'procmesh',
        begin: () => Promise.all([holder, other].map(({ command }) => command?.kill('SIGKILL'))),
        end: () => Promise.all([holder.start(), other.start()]),
      }),
    );
    return times;
  } finally {
    process.off('SIGINT', onInterrupt);
    await mesh.close();
  }
}

export function printAlertTimes(times: readonly AlertTime[], markdown: boolean): void {
  const head = ['what', 'alerted after', 'by', 'messages', 'recovery announced after'];
  const rows = times.map(({ what, alertedS, by, messages: { alerts, recoveries }, recoveredS }) => [
    what,
    `${alertedS.toFixed(1)} s`,
    by,
    `${alerts} + ${recoveries}`,
    `${recoveredS.toFixed(1)} s`,
  ]);
  printTable(head, rows, markdown);
}

/** One of each host. */
function hostTroubles([killed, cut, stopped]: readonly TestHost[]): Trouble[] {
  if (killed === undefined || cut === undefined || stopped === undefined)
    throw new RangeError('three hosts are needed');
  return [
    {
      // An agent alone would be back before anybody is told.
      what: 'agent and its launcher killed (kill -9)',
      subject: killed.address,
      begin: () => killed.sh(`kill -9 $(cat ${FOLDER}/data/launcher.pid) ${AGENT_PID}`),
      end: () => killed.sh(`setsid ${FOLDER}/keep-running start </dev/null >/dev/null 2>&1 &`),
    },
    {
      what: 'host cut off (link down)',
      subject: cut.address,
      begin: () => cut.cutLink(),
      end: () => cut.joinLink(),
    },
    {
      what: 'agent stopped (SIGSTOP)',
      subject: stopped.address,
      begin: () => stopped.sh(`kill -STOP ${AGENT_PID}`),
      end: () => stopped.sh(`kill -CONT ${AGENT_PID}`),
    },
  ];
}

async function measured(mesh: AlertMesh, { what, subject, isOneOfMany, begin, end }: Trouble): Promise<AlertTime> {
  const { sent } = mesh;
  const [alert, recovery] = [`ALERT ${subject}: `, `OK ${subject}: `];
  const beganAt = performance.now();
  await begin();
  const alerted = await mesh.told(sent, alert);
  await delay(ECHO_MS);
  const endedAt = performance.now();
  await end();
  const recovered = await mesh.told(sent, recovery);
  await delay(ECHO_MS);
  const count = (word: string): number => mesh.count(sent, isOneOfMany ? `${word} ${subject}: ` : `Z ${word} `);
  return {
    what,
    alertedS: (alerted.at - beganAt) / 1_000,
    by: alerted.by,
    messages: { alerts: count('ALERT'), recoveries: count('OK') },
    recoveredS: (recovered.at - endedAt) / 1_000,
  };
}
