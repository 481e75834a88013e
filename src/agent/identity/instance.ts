/** What is known of a process group's leader when it is named. */
export interface InstanceFacts {
  comm: string;
  /** Listening ports of the whole group, ascending. */
  ports: readonly number[];
  /** Arguments of the leader, which tell servers apart that do not listen yet, or not where it can be seen. */
  args: readonly string[];
  unit?: string | undefined;
  container?: string | undefined;
}

/**
 * What an operator calls it: `mysqld:3307` by the lowest listening port, else by the port, file or folder it was
 * started with, else the systemd unit, else the container, else its bare name.
 */
export function instanceName(facts: InstanceFacts): string {
  const program = programName(facts.comm);
  const port = facts.ports[0] ?? option(facts.args, 'port', /^\d{1,5}$/);
  if (port !== undefined) return `${program}:${port}`;
  const place = option(facts.args, 'defaults-file') ?? option(facts.args, 'datadir');
  if (place !== undefined) return `${program}@${place}`.slice(0, 255);
  return facts.unit ?? facts.container ?? program;
}

/** Node.js renames its main thread, and with it the process, to `node-MainThread`. */
function programName(comm: string): string {
  return comm.replace(/-MainThread$/, '') || comm;
}

/** `--name=value` or `--name value`; underscores and dashes are the same to MySQL. */
function option(args: readonly string[], name: string, pattern = /./): string | undefined {
  for (const [index, argument] of args.entries()) {
    const spelled = argument.replaceAll('_', '-');
    const value = spelled.startsWith(`--${name}=`)
      ? argument.slice(name.length + 3)
      : spelled === `--${name}`
        ? args[index + 1]
        : undefined;
    if (value !== undefined && pattern.test(value)) return value;
  }
  return undefined;
}
