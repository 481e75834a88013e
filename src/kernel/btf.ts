/** Kinds of types, include/uapi/linux/btf.h, and how many bytes follow the head of each: some, and so many per member. */
const KINDS: { readonly [kind: number]: readonly [some: number, perMember: number] } = {
  1: [4, 0],
  3: [12, 0],
  4: [0, 12],
  5: [0, 12],
  6: [0, 8],
  13: [0, 8],
  14: [4, 0],
  15: [0, 12],
  17: [4, 0],
  19: [0, 12],
};
const MAGIC = 0xeb9f;
const KIND_STRUCT = 4;
const HEAD_BYTES = 12;
const MEMBER_BYTES = 12;

/**
 * Where the running kernel keeps a member of a structure, in bytes, by the description of its types that it publishes:
 * Documentation/bpf/btf.rst. @param btf content of /sys/kernel/btf/vmlinux.
 * @returns for each member of each structure its offset. @throws RangeError when one is not to be found.
 */
export function memberOffsets(
  btf: Buffer,
  wanted: { readonly [struct: string]: readonly string[] },
): Map<string, number> {
  if (btf.length < 24 || btf.readUInt16LE(0) !== MAGIC) throw new RangeError('these are no types of a kernel');
  const types = btf.readUInt32LE(4) + btf.readUInt32LE(8);
  const typesEnd = types + btf.readUInt32LE(12);
  const strings = btf.readUInt32LE(4) + btf.readUInt32LE(16);
  const structs = Object.entries(wanted).map(([name, members]) => ({
    name: Buffer.from(`${name}\0`),
    members: members.map((member) => ({ path: `${name}.${member}`, name: Buffer.from(`${member}\0`) })),
  }));
  const isNamed = (at: number, name: Buffer): boolean => {
    const start = strings + btf.readUInt32LE(at);
    return btf.compare(name, 0, name.length, start, start + name.length) === 0;
  };
  const offsetOf = (name: Buffer, first: number, count: number): number | undefined => {
    const members = Array.from({ length: count }, (_, index) => first + index * MEMBER_BYTES);
    const member = members.find((at) => isNamed(at, name));
    return member === undefined ? undefined : (btf.readUInt32LE(member + 8) & 0xffffff) / 8;
  };
  const found = new Map<string, number>();
  for (let at = types; at + HEAD_BYTES <= typesEnd; ) {
    const info = btf.readUInt32LE(at + 4);
    const kind = (info >>> 24) & 0x1f;
    const count = info & 0xffff;
    const struct = kind === KIND_STRUCT ? structs.find(({ name }) => isNamed(at, name)) : undefined;
    for (const { path, name } of struct?.members ?? []) {
      const offset = offsetOf(name, at + HEAD_BYTES, count);
      if (offset !== undefined) found.set(path, offset);
    }
    const [some, perMember] = KINDS[kind] ?? [0, 0];
    at += HEAD_BYTES + some + count * perMember;
  }
  const missing = structs.flatMap(({ members }) => members).find(({ path }) => !found.has(path));
  if (missing !== undefined) throw new RangeError(`this kernel has no ${missing.path}`);
  return found;
}
