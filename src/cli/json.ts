/**
 * A document of a `--json` option: indented, or with `--watch` on one line. Names and command lines belong to whoever
 * started the process, and JSON is read on terminals too: it escapes the ASCII control characters, we the other ones.
 */
export function formatJson(document: object, options: { watch?: boolean }): string {
  const text = JSON.stringify(document, null, options.watch ? 0 : 2);
  return text.replace(/(?!\n)[\p{Cc}\p{Cf}]/gu, (point) =>
    point
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
