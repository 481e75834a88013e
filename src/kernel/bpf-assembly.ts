/**
 * A small assembler for BPF, after Documentation/bpf/standardization/instruction-set.rst of the kernel: each instruction
 * is a class and a mode in the first byte, two registers, an offset and an immediate, 8 bytes in all.
 */

/** r0: result · r1–r5: arguments, lost by calls · r6–r9: kept by calls · r10: the end of a 512-byte stack, read only. */
export type Register = 'r0' | 'r1' | 'r2' | 'r3' | 'r4' | 'r5' | 'r6' | 'r7' | 'r8' | 'r9' | 'r10';
export type Width = 'u8' | 'u16' | 'u32' | 'u64';
/** Comparisons of 64 bits; those with an s are signed. */
export type Comparison = '==' | '!=' | '>' | '>=' | '<' | '<=' | 's>' | 's<=';
export type Operation = '+' | '|' | '&' | '<<' | '>>' | 's>>' | '=';

/** One or two instructions, or a place to jump to. */
export type Line = { label: string } | { slots: Slot[] };

interface Slot {
  opcode: number;
  target: number;
  source: number;
  offset: number;
  immediate: number;
  jumpTo?: string;
}

const WIDTHS: { [width in Width]: number } = { u32: 0x00, u16: 0x08, u8: 0x10, u64: 0x18 };
const COMPARISONS: { [comparison in Comparison]: number } = {
  '==': 0x10,
  '>': 0x20,
  '>=': 0x30,
  '!=': 0x50,
  's>': 0x60,
  '<': 0xa0,
  '<=': 0xb0,
  's<=': 0xd0,
};
const OPERATIONS: { [operation in Operation]: number } = {
  '+': 0x00,
  '|': 0x40,
  '&': 0x50,
  '<<': 0x60,
  '>>': 0x70,
  '=': 0xb0,
  's>>': 0xc0,
};

/** Functions of the kernel, from the list in include/uapi/linux/bpf.h. */
const HELPERS = {
  map_lookup_elem: 1,
  map_update_elem: 2,
  get_current_pid_tgid: 14,
  probe_read_kernel: 113,
  get_ns_current_pid_tgid: 120,
} as const;
export type Helper = keyof typeof HELPERS;

const SOURCE_IS_REGISTER = 0x08;
const BPF_PSEUDO_MAP_FD = 1;

/** `target operation= operand` on 64 bits; a number is a signed 32-bit immediate. */
export function compute(target: Register, operation: Operation, operand: Register | number): Line {
  return operandSlot(0x07 | OPERATIONS[operation], target, operand);
}

/** `target = value`, all 64 bits. */
export function constant(target: Register, value: bigint): Line {
  return wide(target, 0, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
}

/** `target = the map` of a descriptor. */
export function mapPointer(target: Register, mapFd: number): Line {
  return wide(target, BPF_PSEUDO_MAP_FD, mapFd, 0);
}

/** `target = *(width *)(base + offset)`, zero-extended. */
export function load(width: Width, target: Register, base: Register, offset: number): Line {
  return single({ opcode: 0x61 | WIDTHS[width], target: number(target), source: number(base), offset, immediate: 0 });
}

/** `*(width *)(base + offset) = source`. */
export function store(width: Width, base: Register, offset: number, source: Register | number): Line {
  if (typeof source === 'number') {
    return single({ opcode: 0x62 | WIDTHS[width], target: number(base), source: 0, offset, immediate: source });
  }
  return single({ opcode: 0x63 | WIDTHS[width], target: number(base), source: number(source), offset, immediate: 0 });
}

/** `*(u64 *)(base + offset) += source`, whatever other CPUs do to it. */
export function atomicAdd(base: Register, offset: number, source: Register): Line {
  return single({ opcode: 0xdb, target: number(base), source: number(source), offset, immediate: 0 });
}

/** Turns the 16 bits of the network into those of the machine, which is little-endian. */
export function fromNetwork16(target: Register): Line {
  return single({ opcode: 0xdc, target: number(target), source: 0, offset: 0, immediate: 16 });
}

/** `if (left comparison operand) goto label`. */
export function jumpIf(left: Register, comparison: Comparison, operand: Register | number, label: string): Line {
  return operandSlot(0x05 | COMPARISONS[comparison], left, operand, label);
}

export function jump(label: string): Line {
  return single({ opcode: 0x05, target: 0, source: 0, offset: 0, immediate: 0, jumpTo: label });
}

/** Calls the kernel with r1–r5; the result is in r0. */
export function call(helper: Helper): Line {
  return single({ opcode: 0x85, target: 0, source: 0, offset: 0, immediate: HELPERS[helper] });
}

export function exit(): Line {
  return single({ opcode: 0x95, target: 0, source: 0, offset: 0, immediate: 0 });
}

export function label(name: string): Line {
  return { label: name };
}

/**
 * r0: the map's entry of a key, made of zeros when it is new; a full map is jumped from. The key stands at its place of the
 * stack; at that of the value, as many bytes are written.
 * @param name for the labels, which no two of a program may share.
 */
export function mapEntry(
  name: string,
  { mapFd, key, value, valueBytes }: { mapFd: number; key: number; value: number; valueBytes: number },
  whenFull: string,
): Line[] {
  const lookup = [mapPointer('r1', mapFd), compute('r2', '=', 'r10'), compute('r2', '+', key), call('map_lookup_elem')];
  return [
    ...lookup,
    jumpIf('r0', '!=', 0, `${name} found`),
    ...Array.from({ length: valueBytes / 8 }, (_, index) => store('u64', 'r10', value + index * 8, 0)),
    mapPointer('r1', mapFd),
    compute('r2', '=', 'r10'),
    compute('r2', '+', key),
    compute('r3', '=', 'r10'),
    compute('r3', '+', value),
    compute('r4', '=', 1),
    call('map_update_elem'),
    ...lookup,
    jumpIf('r0', '==', 0, whenFull),
    label(`${name} found`),
  ];
}

/** Machine code of a program. @throws RangeError when a jump has no label to go to. */
export function assemble(lines: readonly Line[]): Buffer {
  const slots: Slot[] = [];
  const labels = new Map<string, number>();
  for (const line of lines) {
    if ('label' in line) labels.set(line.label, slots.length);
    else slots.push(...line.slots);
  }
  const code = Buffer.alloc(slots.length * 8);
  for (const [index, slot] of slots.entries()) {
    const at = index * 8;
    code.writeUInt8(slot.opcode, at);
    code.writeUInt8(slot.target | (slot.source << 4), at + 1);
    code.writeInt16LE(slot.jumpTo === undefined ? slot.offset : distance(slot.jumpTo, index, labels), at + 2);
    code.writeInt32LE(slot.immediate, at + 4);
  }
  return code;
}

/** Jumps count from the instruction after them. */
function distance(name: string, index: number, labels: ReadonlyMap<string, number>): number {
  const target = labels.get(name);
  if (target === undefined) throw new RangeError(`no label ${name}`);
  return target - index - 1;
}

function operandSlot(opcode: number, target: Register, operand: Register | number, jumpTo?: string): Line {
  const isNumber = typeof operand === 'number';
  return single({
    opcode: isNumber ? opcode : opcode | SOURCE_IS_REGISTER,
    target: number(target),
    source: isNumber ? 0 : number(operand),
    offset: 0,
    immediate: isNumber ? operand : 0,
    jumpTo,
  });
}

function wide(target: Register, source: number, low: number, high: number): Line {
  return {
    slots: [
      { opcode: 0x18, target: number(target), source, offset: 0, immediate: low },
      { opcode: 0, target: 0, source: 0, offset: 0, immediate: high },
    ],
  };
}

function single(slot: Slot): Line {
  return { slots: [slot] };
}

function number(register: Register): number {
  return Number(register.slice(1));
}
