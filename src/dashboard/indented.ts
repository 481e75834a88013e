/** A sub-query on lines of its own, to be put in brackets. */
export function indented(sql: string): string {
  return `\n${sql.replaceAll(/^/gm, '  ')}\n`;
}
