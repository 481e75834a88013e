import * as z from 'zod/mini';

/** How connections are encrypted: with a certificate made on first start, not at all, or with one's own. */
export type Tls = 'auto' | 'off' | { readonly cert: string; readonly key: string };

export const DEFAULT_PORT = 9_300;

/** A text that `parse` makes a value of; undefined where it cannot, and then the message says what is allowed. */
function parsed<Value>(allowed: string, parse: (text: string) => Value | undefined) {
  return z.pipe(
    z.string(),
    z.transform((text: string, context): Value => {
      const value = parse(text);
      if (value !== undefined) return value;
      context.issues.push({ code: 'custom', message: allowed, input: text });
      return z.NEVER;
    }),
  );
}

const number = (min: number, max: number) =>
  parsed(`a number from ${min} to ${max}`, (text) => {
    const value = Number(text);
    return text.trim() !== '' && value >= min && value <= max ? value : undefined;
  });
const wholeNumber = (min: number, max: number) =>
  parsed(`a whole number from ${min} to ${max}`, (text) => {
    const value = Number(text);
    return /^\d+$/.test(text.trim()) && value >= min && value <= max ? value : undefined;
  });
const text = z.string();
const port = parsed('a port from 1 to 65535, or nothing', (value) =>
  value === '' || (/^\d+$/.test(value) && Number(value) >= 1 && Number(value) <= 65_535) ? value : undefined,
);
const identifier = parsed('letters, digits, _ and -', (value) => (/^[\w-]{1,64}$/.test(value) ? value : undefined));
const list = parsed('a comma list', (value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
/** An empty one is for whoever reads it to choose. */
const address = parsed('HOST:PORT, such as 0.0.0.0:9300', (value): { host: string; port: number } | undefined => {
  if (value.trim() === '') return { host: '', port: DEFAULT_PORT };
  const [, host = '', port = ''] = /^(?:\[?([^\]]*?)\]?:)?(\d+)$/.exec(value.trim()) ?? [];
  return Number(port) <= 65_535 && port !== '' ? { host, port: Number(port) } : undefined;
});
const tls = parsed('auto, off, or CERT,KEY', (value): Tls | undefined => {
  if (value === 'auto' || value === 'off') return value;
  const [cert = '', key = '', more] = value.split(',').map((file) => file.trim());
  return cert !== '' && key !== '' && more === undefined ? { cert, key } : undefined;
});
const httpUrl = parsed('an http:// or https:// URL, or nothing', (value) =>
  value === '' || (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) ? value : undefined,
);
const absolutePath = parsed('an absolute path', (value) => (/^\/[^\0\n]+$/.test(value) ? value : undefined));
/** Of a rollout: how many hosts, `1`, or which part of all of them, `10 %`, have the release after each wave. */
export interface Wave {
  readonly label: string;
  /** Of `all` hosts, 0–1, or else so many. */
  readonly share?: number;
  readonly hosts?: number;
}
const waves = parsed('numbers of hosts and shares, the last one all, such as 1, 10 %, all', (value) => {
  const waves = value.split(',').map((part): Wave | undefined => {
    const label = part.trim();
    if (label === 'all') return { label, share: 1 };
    const [, number = '', percent] = /^(\d{1,6}) ?(%)?$/.exec(label) ?? [];
    if (number === '' || Number(number) === 0) return undefined;
    if (percent === undefined) return { label: number, hosts: Number(number) };
    return Number(number) < 100 ? { label: `${number} %`, share: Number(number) / 100 } : undefined;
  });
  const known = waves.filter((wave) => wave !== undefined);
  return known.length === waves.length && known.at(-1)?.label === 'all' ? known : undefined;
});
/** A share from which on it is alerted; 0 for never. */
const share = { default: '95', schema: number(0, 100) };

/** The keys of conf/config.ini by section, each with its default and what is allowed. */
export const KEYS = {
  global: {
    version: { default: '', schema: text },
    interval_time: { default: '30', schema: wholeNumber(1, 3_600) },
    sample_time: { default: '2', schema: number(0.2, 60) },
    heartbeat_time: { default: '3', schema: number(0.2, 60) },
    retention_day: { default: '30', schema: number(1, 3_650) },
    log_file: { default: '', schema: text },
    log_size: { default: '20', schema: number(1, 10_240) },
    script_dir: { default: '/opt/procmesh', schema: absolutePath },
    mount_part: { default: '', schema: list },
    data_dir: { default: '', schema: text },
  },
  RULE: {
    cpu: { default: '200', schema: number(0, 1e6) },
    mem: { default: '10', schema: number(0, 1e6) },
    io: { default: '10240', schema: number(0, 1e12) },
    net: { default: '10240', schema: number(0, 1e12) },
    avgqu: { default: '5', schema: number(0, 1e6) },
    util: { default: '50', schema: number(0, 100) },
    top: { default: '5', schema: number(0, 1_000) },
  },
  SERVER: {
    listen: { default: '', schema: address },
    servers: { default: '', schema: list },
    tls: { default: 'auto', schema: tls },
  },
  CLIENT: {
    path: { default: '', schema: text },
    node: { default: '', schema: text },
    ssh_user: { default: '', schema: text },
    ssh_port: { default: '', schema: port },
    ssh_key: { default: '', schema: text },
    ssh_pass: { default: '', schema: text },
    parallel: { default: '20', schema: wholeNumber(1, 1_000) },
    cpu_budget: { default: '1', schema: number(0.01, 1e6) },
  },
  MSM: {
    wx_url: { default: '', schema: httpUrl },
    webhook_url: { default: '', schema: httpUrl },
  },
  ALERT: {
    cpu: share,
    mem: share,
    util: share,
    net: share,
    minutes: { default: '5', schema: number(0.05, 1_440) },
  },
  RELEASE: {
    waves: { default: '1, 10 %, all', schema: waves },
    health_time: { default: '7', schema: number(1, 3_600) },
    trial_time: { default: '60', schema: number(5, 3_600) },
    cpu: { default: '25', schema: number(1, 1e6) },
    mem: { default: '300', schema: number(1, 1e6) },
  },
  Monitor: {
    mysql_host: { default: '', schema: text },
    mysql_port: { default: '3306', schema: wholeNumber(1, 65_535) },
    mysql_user: { default: 'monitor_rw', schema: text },
    mysql_pass: { default: '', schema: text },
    mysql_db: { default: 'dbzz_monitor', schema: identifier },
    alert_user: { default: '', schema: text },
    alert_pass: { default: '', schema: text },
  },
} as const;
