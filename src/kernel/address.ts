/**
 * Text of an address of 16 bytes in network order, as inet_ntop(3) writes it: `2001:db8::1`, and `10.0.0.7` of an IPv4
 * address mapped into IPv6 (`::ffff:10.0.0.7`), so that a host has one name whichever kind of socket reaches it.
 */
export function addressText(bytes: Buffer, at: number): string {
  const isFiveZeros =
    bytes.readUInt32BE(at) === 0 && bytes.readUInt32BE(at + 4) === 0 && bytes.readUInt16BE(at + 8) === 0;
  if (isFiveZeros && bytes.readUInt16BE(at + 10) === 0xffff) return dotted(bytes, at + 12);
  const words = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(at + index * 2));
  const gap = longestZeros(words);
  if (gap.length < 2) return hexadecimal(words);
  // Of `::13.1.68.3`, which RFC 4291 calls IPv4-compatible and glibc still writes.
  if (gap.start === 0 && gap.length === 6) return `::${dotted(bytes, at + 12)}`;
  return `${hexadecimal(words.slice(0, gap.start))}::${hexadecimal(words.slice(gap.start + gap.length))}`;
}

/** The first of the longest runs of zeros. */
function longestZeros(words: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  let start = 0;
  for (const [index, word] of words.entries()) {
    if (word !== 0) start = index + 1;
    else if (index + 1 - start > longest.length) longest = { start, length: index + 1 - start };
  }
  return longest;
}

function hexadecimal(words: readonly number[]): string {
  return words.map((word) => word.toString(16)).join(':');
}

function dotted(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join('.');
}
