/** What stands where a secret stood. */
export const MASK = '***';

/** Names of options, variables, headers and parameters whose value is a secret… */
const SECRET_WORD =
  'pass(?:word|wd|phrase|code)?|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?|auth(?:orization)?';
/** …wherever the word stands in the name, unless the name says that the value is only a place or a setting. */
const SECRET_NAME = new RegExp(`(?:^|[-_.]|[a-z](?=[A-Z]))(?:${SECRET_WORD})s?(?:[-_.][a-z0-9]+)*$`, 'i');
const HARMLESS_NAME =
  /(?:file|path|dir|directory|url|uri|host|port|mode|method|type|policy|plugin|socket|timeout|ttl|length|expiry|field|name|server|enabled?)$/i;

/** Programs whose `-pSECRET` is a password, however short, digits included. */
const PASSWORD_P = /^(?:mysql|mariadb|mysqld|xtrabackup|xbstream|innobackupex|mydumper|myloader|pt-|mytop|7z|sshpass)/;
/** Programs whose `-p SECRET` is a password in a word of its own. */
const PASSWORD_P_NEXT = /^(?:sshpass|mongo|mydumper|myloader|docker|podman|cqlsh|vncviewer|clickhouse)/;
/** Programs with another letter for it. */
const SECRET_LETTERS = new Map([
  ['redis-cli', ['-a']],
  ['curl', ['-u', '-U', '--user', '--proxy-user']],
  ['wget', ['--user']],
  ['ldapsearch', ['-w']],
  ['ldapmodify', ['-w']],
  ['smbclient', ['-U']],
]);

/**
 * A command line without its secrets, for people to read: passwords in options (`-pSECRET`, `--password=…`,
 * `--password …`), variables (`API_TOKEN=…`), URLs with credentials, headers (`Authorization: …`), and the like. When
 * in doubt a word is masked.
 * @param args the arguments as the kernel gives them; a process that rewrote its title has just one.
 */
export function scrub(args: readonly string[]): string {
  const program = (args[0] ?? '').replace(/^.*\//, '');
  const letters = SECRET_LETTERS.get(program) ?? [];
  let maskNext = false;
  return args
    .map((argument, index) => {
      if (maskNext) {
        maskNext = false;
        if (!argument.startsWith('-')) return maskValue(argument);
      }
      if (index === 0) return scrubText(argument);
      const [, option, value] = /^(-{1,2}[A-Za-z][\w.-]*)(?:=([\s\S]*))?$/.exec(argument) ?? [];
      if (option !== undefined && (letters.includes(option) || isSecretOption(option, program))) {
        if (value !== undefined) return `${option}=${maskValue(value)}`;
        maskNext = true;
        return argument;
      }
      const short = /^-p(.+)$/s.exec(argument)?.[1];
      if (short !== undefined && (PASSWORD_P.test(program) || /^(?=.*[^\d:,.-]).{6,}$/s.test(short)))
        return `-p${MASK}`;
      const letter = letters.find((flag) => flag.length === 2 && argument.startsWith(flag) && argument.length > 2);
      if (letter !== undefined) return `${letter}${maskValue(argument.slice(2))}`;
      return scrubText(argument);
    })
    .join(' ');
}

function isSecretOption(option: string, program: string): boolean {
  if (option === '-p') return PASSWORD_P_NEXT.test(program);
  const name = option.replace(/^-+/, '');
  return option.length > 2 && SECRET_NAME.test(name) && !HARMLESS_NAME.test(name);
}

/** `user:secret` keeps its user. */
function maskValue(value: string): string {
  const user = /^([^:@/\s]+):./.exec(value)?.[1];
  return user === undefined ? MASK : `${user}:${MASK}`;
}

const RULES: readonly [RegExp, string][] = [
  // scheme://user:secret@host, and the same without a user
  [/(?<![\w+.-])([a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s@]*(?:@[^\s@/]*)*@/gi, `$1:${MASK}@`],
  // user:secret@tcp(host:3306)/db
  [/(?<![^\s:/@])([^\s:/@]+):[^\s]+@((?:tcp|unix)\()/gi, `$1:${MASK}@$2`],
  // Authorization: Bearer secret, X-Api-Key: secret, Cookie: secret
  [
    /((?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]*(?:key|token|auth|secret)[\w-]*)\s*:\s*(?:(bearer|basic|token|digest)\s+)?[^'"]+/gi,
    `$1: ${MASK}`,
  ],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${MASK}`],
  // "password": "secret"
  [
    new RegExp(`(["'][\\w.-]*(?:${SECRET_WORD})["']\\s*:\\s*)(?:"(?:[^"\\\\]|\\\\.)*"|'[^']*'|[^\\s,}]+)`, 'gi'),
    `$1"${MASK}"`,
  ],
  // openssl: pass:secret
  [/\bpass:\S+/g, `pass:${MASK}`],
];

const ASSIGNMENT = /(?<![\w.-])([A-Za-z][\w.-]*)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s&;,'"]+)/g;
/** In a title or shell text of many words: `--password secret`. */
const SPACED_OPTION = /(--[A-Za-z][\w.-]*)\s+([^\s-]\S*)/g;
const DATABASE_CLIENT_P = /(\b(?:mysql|mariadb)\w*\b[^|;&]*?\s-p)([^\s'"]+)/g;

function scrubText(text: string): string {
  let clean = text;
  for (const [pattern, replacement] of RULES) clean = clean.replace(pattern, replacement);
  clean = clean.replace(ASSIGNMENT, (whole, name: string) =>
    SECRET_NAME.test(name) && !HARMLESS_NAME.test(name) ? `${name}=${MASK}` : whole,
  );
  if (!/\s/.test(clean)) return clean;
  return clean
    .replace(DATABASE_CLIENT_P, `$1${MASK}`)
    .replace(SPACED_OPTION, (whole, option: string) => (isSecretOption(option, '') ? `${option} ${MASK}` : whole));
}
