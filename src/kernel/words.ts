/** The same memory in words of the machine, which is little-endian as every one that Node.js runs on. */
export function asWords(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
}

/** A u64 that stays below 2^53, from its two halves. */
export function u64At(words: Uint32Array, at: number): number {
  return (words[at] as number) + (words[at + 1] as number) * 2 ** 32;
}
