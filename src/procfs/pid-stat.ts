import type { KernelText } from './kernel-file.ts';

const SPACE = 0x20;
const MINUS = 0x2d;
const ZERO = 0x30;
const OPEN = 0x28;
const CLOSE = 0x29;

/** The fields of /proc/[pid]/stat that are used, proc_pid_stat(5). Ticks are of 1/100 s (USER_HZ). */
export interface PidStat {
  /** At most 15 bytes; may hold spaces, brackets and newlines. */
  comm: string;
  /** R, S, D, Z, T, … */
  state: string;
  ppid: number;
  /** utime + stime of all threads, also of those that ended. */
  ownTicks: number;
  /** cutime + cstime: everything its reaped children had used, their own reaped children included. */
  reapedTicks: number;
  threads: number;
  /** Since boot, suspended time included. */
  startTicks: number;
  rssPages: number;
}

export function emptyPidStat(): PidStat {
  return { comm: '', state: '?', ppid: 0, ownTicks: 0, reapedTicks: 0, threads: 0, startTicks: 0, rssPages: 0 };
}

const STATES = new Map<number, string>();

/**
 * Parses `1234 (a) b) S 1 1234 … 24 fields and more` into `out` without making garbage. The name may contain anything,
 * so fields are counted from the last `)`.
 * @returns false when the text is no whole stat line, as of a file cut short.
 */
export function parsePidStat(text: KernelText, out: PidStat): boolean {
  const { bytes, length } = text;
  const close = bytes.lastIndexOf(CLOSE, length - 1);
  const open = bytes.indexOf(OPEN);
  if (open < 0 || close <= open) return false;
  out.comm = bytes.toString('utf8', open + 1, close);
  const state = bytes[close + 2] ?? 0;
  let name = STATES.get(state);
  if (name === undefined) {
    name = String.fromCharCode(state);
    STATES.set(state, name);
  }
  out.state = name;

  let field = 4;
  let value = 0;
  let ticks = 0;
  for (let i = close + 4; i < length; i += 1) {
    const byte = bytes[i] as number;
    if (byte >= ZERO) {
      value = value * 10 + (byte - ZERO);
    } else if (byte === SPACE) {
      switch (field) {
        case 4:
          out.ppid = value;
          break;
        case 14:
        case 16:
          ticks = value;
          break;
        case 15:
          out.ownTicks = ticks + value;
          break;
        case 17:
          out.reapedTicks = ticks + value;
          break;
        case 20:
          out.threads = value;
          break;
        case 22:
          out.startTicks = value;
          break;
        case 24:
          out.rssPages = value;
          return true;
      }
      field += 1;
      value = 0;
    } else if (byte !== MINUS) {
      return false;
    }
  }
  return false;
}

/** Field of /proc/[pid]/stat with the address of the stack's bottom, counted behind the name. */
const STACK_START = 28 - 3;

/**
 * Where the stack begins: chosen at random by each exec and inherited by each fork, so a child that is still the program
 * its parent is has the very same one.
 * @returns undefined where the kernel hides it (0 or 1) from who may not trace the process.
 */
export function parseStackStart(text: KernelText): number | undefined {
  const { bytes, length } = text;
  const close = bytes.lastIndexOf(CLOSE, length - 1);
  const field = bytes.toString('latin1', close + 2, length).split(' ')[STACK_START];
  const address = Number(field);
  return address > 1 ? address : undefined;
}
