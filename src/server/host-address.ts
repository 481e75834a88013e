/** How a host is written in `tb_monitor_host_config`: `HOST`, with its own SSH user or port `user@HOST:port`. */
export interface HostAddress {
  /** What the host is called everywhere. */
  host: string;
  user: string | undefined;
  port: number | undefined;
}

/** IPv6 with a port is in brackets: `root@[2001:db8::1]:2222`. @returns undefined for what is no such text. */
export function parseHostAddress(rshost: string): HostAddress | undefined {
  const bare = /^[0-9a-fA-F:]+:[0-9a-fA-F:]*$/.test(rshost) && rshost.split(':').length > 2;
  if (bare) return { host: rshost, user: undefined, port: undefined };
  const [, user, bracketed, plain, digits] =
    /^(?:([A-Za-z0-9_][\w.-]{0,31})@)?(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_][\w.-]{0,252}))(?::(\d{1,5}))?$/.exec(
      rshost,
    ) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || port === 0 || (port ?? 0) > 65_535) return undefined;
  return { host, user, port };
}
