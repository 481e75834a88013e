/** What a viewer of the dashboard chose. */
export interface Question {
  /** All that there are when “All” is chosen: so Grafana spells it out. */
  hosts: readonly string[];
  /** Undefined: “All”, which the variable has a text of its own for. */
  instances?: readonly string[];
  /** Range, epoch seconds; both ends belong to it. */
  from: number;
  to: number;
  /** `$__interval`: the time that one point stands for. */
  stepSeconds: number;
}

/** What a query of the MySQL plugin becomes on its way to MySQL. */
export interface Expanded {
  sql: string;
  /** Points without rows are null. */
  filled: boolean;
}

/** The plugin refuses a query that this matches. */
const REFUSED =
  /(\s*show\s+grants|[\s,]session_user\([^)]*\)|[\s,]current_user(\([^)]*\))?|[\s,]system_user\([^)]*\)|[\s,]user\([^)]*\))([\s,;]|$)/im;

/** Puts variables and macros in, in the same order and by the same patterns as Grafana does. */
export function expand(sql: string, question: Question, allInstances: string): Expanded {
  const { hosts, instances, from, to, stepSeconds } = question;
  let filled = false;
  const interpolated = sql
    .replaceAll('$host', hosts.map(literal).join(','))
    .replaceAll('$instance', instances === undefined ? allInstances : instances.map(literal).join(','))
    .replaceAll('$__interval', `${stepSeconds}s`)
    .replaceAll('$__unixEpochFrom()', String(from))
    .replaceAll('$__unixEpochTo()', String(to));
  if (REFUSED.test(interpolated)) throw new Error(`Grafana refuses: ${interpolated}`);
  const expanded = interpolated.replaceAll(/\$([_a-zA-Z0-9]+)\(([^)]*)\)/g, (_all, name: string, list: string) => {
    const [column, step, fill] = list.split(',').map((text) => text.trim());
    if (name !== '__timeGroup' || step !== `'${stepSeconds}s'` || fill !== 'NULL') throw new Error(`${name}(${list})`);
    filled = true;
    return `UNIX_TIMESTAMP(${column}) DIV ${stepSeconds} * ${stepSeconds}`;
  });
  if (expanded.includes('$')) throw new Error(`Grafana would leave this as it is: ${expanded}`);
  return { sql: expanded, filled };
}

function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
