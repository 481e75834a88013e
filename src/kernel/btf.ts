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
  const names = Object.entries(wanted).map(([name, members]) => ({
    name: Buffer.from(`${name}\0`),
    text: name,
    members,
  }));
  const isNamed = (at: number, name: Buffer): boolean => {
    const start = strings + btf.readUInt32LE(at);
    return btf.compare(name, 0, name.length, start, start + name.length) === 0;
  };
  const found = new Map<string, number>();
  for (let at = types; at + HEAD_BYTES <= typesEnd; ) {
    const info = btf.readUInt32LE(at + 4);
    const kind = (info >>> 24) & 0x1f;
    const count = info & 0xffff;
    const struct = kind === KIND_STRUCT ? names.find(({ name }) => isNamed(at, name)) : undefined;
    for (const member of struct?.members ?? []) {
      const name = Buffer.from(`${member}\0`);
      for (let index = 0; index < count; index += 1) {
        const place = at + HEAD_BYTES + index * MEMBER_BYTES;
        if (isNamed(place, name)) found.set(`${struct?.text}.${member}`, (btf.readUInt32LE(place + 8) & 0xffffff) / 8);
      }
    }
    const [some, perMember] = KINDS[kind] ?? [0, 0];
    at += HEAD_BYTES + some + count * perMember;
  }
  for (const { text, members } of names)
    for (const member of members)
      if (!found.has(`${text}.${member}`)) throw new RangeError(`this kernel has no ${text}.${member}`);
  return found;
}
