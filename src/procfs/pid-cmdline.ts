/**
 * /proc/[pid]/cmdline to its arguments: NUL after each. A process that rewrote it (nginx, postgres) leaves one text
 * padded with NULs or spaces. Kernel threads and zombies have none.
 */
export function parseCmdline(text: string): string[] {
  return text
    .replace(/[\0 ]+$/, '')
    .split('\0')
    .filter((argument, index, all) => argument !== '' || all.length > 1 || index > 0);
}
