import { readBody } from './https.ts';

/** A figure of the server that listens on this port, by its name, with its labels if it has any, in `GET /metrics`. */
export async function readMetric(port: number, name: string, scheme: 'http' | 'https' = 'https'): Promise<number> {
  const text = await readBody(`${scheme}://127.0.0.1:${port}/metrics`);
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? Number.NaN : Number(line.slice(name.length + 1));
}
