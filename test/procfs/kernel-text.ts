import { KernelText } from '../../src/procfs/kernel-file.ts';

/** A buffer as a read leaves it: the text in front, the leftovers of an earlier and longer one behind. */
export function kernelText(content: string | Buffer, leftovers = ''): KernelText {
  const text = new KernelText();
  text.bytes.fill(0);
  text.length = Buffer.from(content).copy(text.bytes);
  text.bytes.write(leftovers, text.length);
  return text;
}
