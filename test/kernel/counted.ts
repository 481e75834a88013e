import type { EndpointBytes } from '../../src/kernel/endpoint.ts';
import type { SocketBytes } from '../../src/kernel/socket-bytes.ts';
import type { Direction, Scope } from '../../src/kernel/socket-program.ts';

interface Part {
  tgid: number;
  scope: Scope;
  out: number;
  in: number;
  endpoint: EndpointBytes | undefined;
}

/** What was counted since the last time, by process; figures are undefined of one that nothing is known of. */
export function drained(counted: SocketBytes) {
  const all: Part[] = [];
  counted.drain((part) => {
    const { tgid, scope, outBytes, inBytes } = part;
    all.push({ tgid, scope, out: outBytes, in: inBytes, endpoint: part.endpoint() });
  });
  return (pid: number | undefined) => {
    const parts = all.filter(({ tgid }) => tgid === pid);
    const bytes = (scope: Scope, direction: Direction): number | undefined => {
      if (parts.length === 0) return undefined;
      return parts.filter((part) => part.scope === scope).reduce((sum, part) => sum + part[direction], 0);
    };
    const endpoints = parts.flatMap(({ endpoint }) => {
      if (endpoint === undefined) return [];
      const { pid: _pid, ...rest } = endpoint;
      return [rest];
    });
    return { bytes, endpoints };
  };
}
