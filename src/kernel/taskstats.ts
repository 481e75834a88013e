import { KernelError, type Libc } from './libc.ts';
import {
  eachAttribute,
  eachMessage,
  HEADER_BYTES,
  NetlinkSocket,
  NLMSG_ERROR,
  netlinkMessage,
  refuseError,
} from './netlink.ts';
import { asWords, u64At } from './words.ts';

const NETLINK_GENERIC = 16;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
/** Length of `struct genlmsghdr`: command, version, two reserved bytes. */
const GENERIC_BYTES = 4;

/** include/uapi/linux/genetlink.h */
const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;

/** include/uapi/linux/taskstats.h */
const TASKSTATS_CMD_GET = 1;
const TASKSTATS_CMD_ATTR_PID = 1;
const TASKSTATS_CMD_ATTR_REGISTER_CPUMASK = 3;
const TASKSTATS_TYPE_STATS = 3;
const TASKSTATS_TYPE_AGGR_PID = 4;
const TASKSTATS_TYPE_AGGR_TGID = 5;

/**
 * Where things are in `struct taskstats`, in 32-bit words. It only ever grows at its end, so a place once given holds.
 * All but the last three are there since Linux 2.6.20 (version 3).
 */
const VERSION = 0;
const FLAG = 8 / 4;
/** ns, by the scheduler's clock; `ac_utime` and `ac_stime` are sampled by the timer tick and miss short processes. */
const CPU_RUN_VIRTUAL_TOTAL = 72 / 4;
const COMM = 80 / 4;
const PPID = 132 / 4;
/** µs */
const ETIME = 144 / 4;
const READ_BYTES = 248 / 4;
const WRITE_BYTES = 256 / 4;
const CANCELLED_WRITE_BYTES = 264 / 4;
/** Epoch seconds, version 10, Linux 5.7. */
const BTIME64 = 344 / 4;
/** Version 12, Linux 5.19. */
const TGID = 368 / 4;
/** µs since the start of the process, version 12. */
const TGETIME = 376 / 4;

/** Of FLAG, version 12: this was the last task of its process. */
const AGROUP = 0x20;
const MIN_VERSION = 12;

/**
 * The kernel counts about 1.3 KB for each event that waits, of a process with threads twice as much. So there is room
 * for what 10,000 exits per second make in more than a second; memory is taken only while they wait.
 */
const QUEUE_BYTES = 16 * 1024 * 1024;

/** Names that are kept, so that a storm of equal ones makes no garbage; a power of two. */
const KEPT_NAMES = 64;

/**
 * Hears of every task that exits, on the whole machine: taskstats, Documentation/accounting/taskstats.rst. The kernel
 * sends a task's event before anybody can reap it. The last run of the task, up to one timer tick long, and the release of its memory
 * are not in it.
 */
export class TaskExits {
  /** How many times the kernel had to drop events because the queue was full. */
  overruns = 0;

  /** The process whose task exited; the same holds for everything below, until `next` is called again. */
  tgid = 0;
  /** Whether the process ended with this task. */
  isLast = false;
  /** Of this task alone, in whole KB. */
  readBytes = 0;
  /** Of this task alone, less what was thrown away before it was written; may be below 0. */
  writeBytes = 0;
  /** Epoch ms at which the process started, right to ± 500. Only where the task was the last one or did I/O. */
  startedAtMs = 0;
  /** How long the process has lived, monotonic ms. Only where the task was the last one or did I/O. */
  livedMs = 0;
  /** The parent of the process at this moment, who will reap it unless it ignores SIGCHLD. Only with the last task. */
  ppid = 0;
  /** Only with the last task. */
  comm = '';
  /** CPU time of the whole process in ns. Only with the last task. */
  cpuNs = 0;

  readonly #socket: NetlinkSocket;
  readonly #words: Uint32Array;
  readonly #family: number;
  readonly #names: string[] = Array.from({ length: KEPT_NAMES }, () => '');
  readonly #nameWords = new Uint32Array(4 * KEPT_NAMES);

  /**
   * @param possibleCpus text of /sys/devices/system/cpu/possible, `0-1`.
   * @throws KernelError when the kernel refuses: EPERM without CAP_NET_ADMIN, EINVAL outside the first PID or user
   *   namespace, ENOENT when it has no taskstats, EPROTO when threads cannot be told from processes (before Linux 5.19)
   *   or when it keeps no account of CPU time.
   */
  constructor(libc: Libc, possibleCpus: string, ownPid = process.pid) {
    this.#socket = new NetlinkSocket(libc, NETLINK_GENERIC, { queueBytes: QUEUE_BYTES });
    this.#words = asWords(this.#socket.bytes);
    try {
      this.#family = this.#resolveFamily();
      this.#prove(ownPid);
      this.#register(possibleCpus.trim());
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** Takes the next task that exited. @returns false when there is none. @throws KernelError */
  next(): boolean {
    for (;;) {
      const length = this.#socket.poll();
      if (length === 0) return false;
      if (length < 0) this.overruns += 1;
      else if (this.#parse(length)) return true;
    }
  }

  close(): void {
    this.#socket.close();
  }

  /**
   * One event is one message: AGGR_PID { PID, STATS }, then AGGR_TGID { TGID, STATS } if the process ended and ever had
   * a second thread. That second part sums up the CPU time of all threads; what else it could say stays empty.
   */
  #parse(length: number): boolean {
    const words = this.#words;
    if (((words[1] as number) & 0xffff) !== this.#family) return false;
    const end = Math.min(length, words[0] as number) >>> 2;
    let found = false;
    for (let at = (HEADER_BYTES + GENERIC_BYTES) / 4; at < end; ) {
      const head = words[at] as number;
      const type = (head >>> 16) & 0x3fff;
      if (type === TASKSTATS_TYPE_AGGR_PID) {
        this.#readTask(at + 1);
        found = true;
      } else if (type === TASKSTATS_TYPE_AGGR_TGID) {
        this.cpuNs = u64At(this.#words, this.#statsAt(at + 1) + CPU_RUN_VIRTUAL_TOTAL);
      }
      at += wordsOf(head);
    }
    return found;
  }

  #readTask(nested: number): void {
    const words = this.#words;
    const stats = this.#statsAt(nested);
    this.tgid = words[stats + TGID] as number;
    this.readBytes = u64At(this.#words, stats + READ_BYTES);
    this.writeBytes = u64At(this.#words, stats + WRITE_BYTES) - u64At(this.#words, stats + CANCELLED_WRITE_BYTES);
    this.isLast = ((words[stats + FLAG] as number) & AGROUP) !== 0;
    // Most threads end without having done I/O, and are of no interest then.
    if (!this.isLast && this.readBytes === 0 && this.writeBytes === 0) return;
    this.livedMs = u64At(this.#words, stats + TGETIME) / 1_000;
    // The kernel takes the whole seconds of this task's life from the whole second it is now.
    const exitedSec = u64At(this.#words, stats + BTIME64) + Math.floor(u64At(this.#words, stats + ETIME) / 1e6);
    this.startedAtMs = exitedSec * 1_000 + 500 - this.livedMs;
    if (!this.isLast) return;
    this.ppid = words[stats + PPID] as number;
    this.comm = this.#name(stats + COMM);
    this.cpuNs = u64At(this.#words, stats + CPU_RUN_VIRTUAL_TOTAL);
  }

  /** The kernel puts an empty attribute before a structure where that aligns it better. */
  #statsAt(nested: number): number {
    const words = this.#words;
    let at = nested;
    while (at < words.length && (((words[at] as number) >>> 16) & 0x3fff) !== TASKSTATS_TYPE_STATS) {
      at += wordsOf(words[at] as number);
    }
    return at + 1;
  }

  /** TASK_COMM_LEN is 16 bytes, the last of which is 0. */
  #name(at: number): string {
    const words = this.#words;
    const kept = this.#nameWords;
    const a = words[at] as number;
    const b = words[at + 1] as number;
    const c = words[at + 2] as number;
    const d = words[at + 3] as number;
    const slot = (Math.imul(a ^ (b << 1) ^ (c << 2) ^ (d << 3), 0x9e3779b1) >>> 16) & (KEPT_NAMES - 1);
    const place = slot * 4;
    if (kept[place] !== a || kept[place + 1] !== b || kept[place + 2] !== c || kept[place + 3] !== d) {
      kept.set([a, b, c, d], place);
      const start = at * 4;
      const { bytes } = this.#socket;
      this.#names[slot] = bytes.toString('utf8', start, bytes.indexOf(0, start));
    }
    return this.#names[slot] as string;
  }

  #resolveFamily(): number {
    let family = 0;
    this.#ask(
      genericMessage(
        GENL_ID_CTRL,
        NLM_F_REQUEST,
        CTRL_CMD_GETFAMILY,
        CTRL_ATTR_FAMILY_NAME,
        Buffer.from('TASKSTATS\0'),
      ),
      'taskstats',
      GENL_ID_CTRL,
    );
    const { bytes } = this.#socket;
    eachAttribute(bytes, HEADER_BYTES + GENERIC_BYTES, bytes.readUInt32LE(0), (type, start) => {
      if (type === CTRL_ATTR_FAMILY_ID) family = bytes.readUInt16LE(start);
    });
    return family;
  }

  /** Asks about this very process, which tells whether the kernel is able to say what is needed. */
  #prove(ownPid: number): void {
    const pid = Buffer.alloc(4);
    pid.writeUInt32LE(ownPid);
    const question = genericMessage(this.#family, NLM_F_REQUEST, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, pid);
    this.#ask(question, 'taskstats of this process', this.#family);
    const stats = this.#statsAt((HEADER_BYTES + GENERIC_BYTES) / 4 + 1);
    const version = (this.#words[stats + VERSION] as number) & 0xffff;
    if (version < MIN_VERSION) {
      throw protocolError(
        `threads cannot be told from processes: version ${version}, ${MIN_VERSION} is needed (Linux 5.19)`,
      );
    }
    if (u64At(this.#words, stats + CPU_RUN_VIRTUAL_TOTAL) === 0) throw protocolError('no account of CPU time is kept');
  }

  #register(possibleCpus: string): void {
    const mask = Buffer.from(`${possibleCpus}\0`);
    const flags = NLM_F_REQUEST | NLM_F_ACK;
    const wish = genericMessage(this.#family, flags, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, mask);
    this.#ask(wish, `taskstats of CPUs ${possibleCpus}`, NLMSG_ERROR);
  }

  /** Sends, and receives until an answer of this type is there; events may come before it. @throws KernelError */
  #ask(message: Buffer, call: string, answer: number): void {
    this.#socket.send(message);
    for (let answered = false; !answered; ) {
      const length = this.#socket.receive();
      eachMessage(this.#socket.bytes, length, (type, start) => {
        refuseError(this.#socket.bytes, type, start, call);
        answered ||= type === answer;
      });
    }
  }
}

/** How long an attribute is, by its first word. A length of 0 is never sent, and would never end. */
function wordsOf(head: number): number {
  return Math.max(1, ((head & 0xffff) + 3) >>> 2);
}

function protocolError(detail: string): KernelError {
  return new KernelError('taskstats', -71, detail);
}

/** A message of generic netlink with one attribute. */
function genericMessage(family: number, flags: number, command: number, attribute: number, value: Buffer): Buffer {
  const payload = Buffer.alloc(GENERIC_BYTES + 4 + ((value.length + 3) & ~3));
  payload.writeUInt8(command, 0);
  payload.writeUInt8(1, 1);
  payload.writeUInt16LE(4 + value.length, GENERIC_BYTES);
  payload.writeUInt16LE(attribute, GENERIC_BYTES + 2);
  value.copy(payload, GENERIC_BYTES + 4);
  return netlinkMessage(family, flags, payload);
}
