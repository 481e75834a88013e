import { isSecret, secrecy } from './secret-name.ts';

/** What stands where a secret stood. */
export const MASK = '***';

/** What the options of a program do not say by their names. */
interface Habits {
  program: RegExp;
  /** Letters whose secret is in the same word: `-pSECRET`. */
  attached?: string;
  /** Letters whose secret is in the same word or in the next: `-a SECRET`. */
  letters?: string;
  /** Letters may stand together, and the last takes the value: `-su user:secret`. */
  bundled?: boolean;
  /** Words whose secret is behind a `=` or in the next word. */
  words?: readonly string[];
  /** A secret within a word, behind what the first group holds. */
  within?: RegExp;
}

const HABITS: readonly Habits[] = [
  {
    program: /^(?:sshpass|mongo.*|mydumper|myloader|cqlsh|rdesktop|useradd|usermod|ncftp.*|rabbitmqadmin)$/,
    letters: 'p',
  },
  // `docker login -p` and `az login -p` are followed by a password, `docker run -p` and `ssh -p` by a port.
  { program: /^login$/, letters: 'p' },
  { program: /^(?:docker|podman|nerdctl|run|ssh|scp|sftp|rsync|psql)$/ },
  { program: /^(?:mysql|mariadb|mytop|xtrabackup|xbstream|innobackupex|7z)/, attached: 'p' },
  { program: /^pt-/, attached: 'p', within: /((?:^|,)p=)[^,]+/ },
  { program: /^(?:un)?rar$/, attached: 'p', within: /^(-hp).+/ },
  { program: /^(?:redis|valkey|keydb)-cli$/, letters: 'a' },
  { program: /^curl$/, letters: 'uUb', bundled: true, words: ['--user', '--proxy-user', '--cookie'] },
  { program: /^https?$/, letters: 'a' },
  { program: /^etcdctl$/, words: ['--user'] },
  { program: /^ldap(?:search|modify|add|delete|passwd|whoami)$/, letters: 'w' },
  { program: /^smbclient$/, letters: 'U' },
  { program: /^lftp$/, letters: 'u' },
  { program: /^(?:sqlcmd|bcp|osql|tsql|ipmitool|zip|unzip|mosquitto_.*)$/, letters: 'P' },
  { program: /^(?:sqlplus|sqlldr|rman|expdp|impdp)$/, within: /^([^/\s=]+\/)[^@\s]+/ },
  { program: /^xfreerdp$/, within: /^(\/p:).+/ },
  { program: /^openssl$/, letters: 'kK' },
  { program: /^snmp(?:walk|get|getnext|bulkwalk|bulkget|set|table|trap|inform|status|df)$/, letters: 'cAX' },
  { program: /^nmcli$/, words: ['password'] },
  { program: /^aws$/, words: ['aws_secret_access_key', 'aws_session_token'] },
];

/**
 * A command line without its secrets, for people to read: passwords in options (`-pSECRET`, `--password=…`,
 * `--password …`), variables (`API_TOKEN=…`), URLs with credentials, headers (`Authorization: …`), and the like. When
 * in doubt a word is masked.
 * @param args the arguments as the kernel gives them; a process that rewrote its title has just one.
 */
export function scrub(args: readonly string[]): string {
  const words = new Words(false);
  return args.map((argument) => words.next(argument)).join(' ');
}

/** Goes through words in their order, as what one says depends on those before it. */
class Words {
  readonly #isText: boolean;
  #habits: Habits | undefined;
  /** The option whose value the next word is. */
  #pending: string | undefined;

  /** @param isText the words come out of one argument: white space in them is quoted. */
  constructor(isText: boolean) {
    this.#isText = isText;
  }

  next(word: string): string {
    const option = this.#pending;
    this.#pending = undefined;
    if (option !== undefined && !word.startsWith('-')) return isSecret(option, unquoted(word)) ? maskValue(word) : word;
    const [, dashes = '', name, value] = /^(-{0,2})([A-Za-z_][\w.-]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
    if (name !== undefined) {
      const isTold = this.#habits?.words?.includes(dashes + name) === true;
      if (value !== undefined && (isTold || isSecret(name, unquoted(value))))
        return `${dashes}${name}=${maskValue(value)}`;
      if (value === undefined && (isTold || (dashes !== '' && name.length > 1 && secrecy(name) !== 'no'))) {
        this.#pending = isTold ? 'password' : name;
        return word;
      }
    }
    if (!this.#isText && /\s/.test(word)) return scrubText(word);
    if (!word.startsWith('-')) this.#habits = habitsOf(word) ?? this.#habits;
    else if (value === undefined || name?.length === 1) {
      const clean = this.#letterOption(word);
      if (clean !== undefined) return clean;
    }
    return scrubWord(this.#habits?.within === undefined ? word : word.replace(this.#habits.within, `$1${MASK}`));
  }

  #letterOption(word: string): string | undefined {
    const { attached = '', letters = '', bundled = false } = this.#habits ?? {};
    const letter = word.charAt(1);
    const rest = word.slice(2);
    if (rest !== '' && (attached + letters).includes(letter)) return `-${letter}${maskValue(rest)}`;
    if (letters.includes(word.at(-1) ?? '-') && (rest === '' || (bundled && /^-[A-Za-z]+$/.test(word)))) {
      this.#pending = 'password';
      return word;
    }
    return letter === 'p' && this.#habits === undefined && looksSecret(rest) ? `-p${MASK}` : undefined;
  }
}

function habitsOf(word: string): Habits | undefined {
  const name = unquoted(word).replace(/^.*\//, '');
  return HABITS.find(({ program }) => program.test(name));
}

/** Long, and neither a port, an address, a path, bundled letters nor a word: `-p2222`, `-pxvzf`, `-pidfile`. */
function looksSecret(text: string): boolean {
  return text.length >= 6 && /[^\d:,.-]/.test(text) && /[^A-Za-z_.:,-]/.test(text) && !/^[./]/.test(text);
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/s, '$2');
}

/** `user:secret` keeps its user. */
function maskValue(value: string): string {
  const user = /^["']?([^:%@/\s"']+)([:%]|,(?=[^,=]+$))./.exec(value);
  return user === null ? MASK : `${user[1]}${user[2]}${MASK}`;
}

/** What is secret wherever it stands. */
const RULES: readonly [RegExp, string][] = [
  // scheme://user:secret@host, and the same without a user; scheme://host:8080/path@version has none
  [/(?<![\w+.-])([a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):(?!\d{1,5}\/)[^\s@]*(?:@[^\s@/]*)*@/gi, `$1:${MASK}@`],
  // https://token@host
  [/(https?:\/\/)[\w.~%-]{16,}@/gi, `$1${MASK}@`],
  // user:secret@tcp(host:3306)/db
  [/(?<![^\s:/@"'])([^\s:/@"']+):[^\s]+@((?:tcp|unix)?\()/gi, `$1:${MASK}@$2`],
  // jdbc:oracle:thin:user/secret@host
  [/(jdbc:oracle:\w+:[^\s/@]+)\/[^\s@]+@/gi, `$1/${MASK}@`],
  // Authorization: Bearer secret, X-Api-Key: secret, Cookie: secret
  [
    /(?:(?<![\w-])|(?<=-H))((?:proxy-)?authorization|(?:set-)?cookie|x-(?=[\w-]*(?:key|token|auth|secret))[\w-]+)\s*:[^'"]+/gi,
    `$1: ${MASK}`,
  ],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${MASK}`],
  // SQL: IDENTIFIED BY 'secret', PASSWORD 'secret', PASSWORD('secret')
  [/\b(identified\s+(?:with\s+\S+\s+)?(?:by|as)|password)(\s*\(\s*|\s+)(?:'[^']*'|"[^"]*")/gi, `$1$2${MASK}`],
  // openssl: pass:secret
  [/\bpass:\S+/g, `pass:${MASK}`],
  // tokens of GitHub, GitLab, Slack, AWS, and signed ones, by their shape
  [/\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-)[\w-]{10,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+/g, MASK],
];

/** Names with a value behind, which is looked at and not passed, as it may hold another such pair. */
const ASSIGNMENTS: readonly RegExp[] = [
  // name=value
  /(?<![\w.-])([A-Za-z_][\w.-]*)=(?=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s&;,'"]+))/g,
  // "name": value, also with escaped quotes
  /(?<![\w.-])([A-Za-z_][\w.-]*)\\?["']\s*:\s*(?=(\\"[^"\\]*\\"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,{}[\]"']+))/g,
  // name: value, though not the title of an authentication server
  /(?<![\w.-])(?!auth:)([A-Za-z_][\w.-]*):(?:\s+|(?=["']))(?=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,{}[\]"']+))/g,
];

function scrubWord(text: string): string {
  let clean = text;
  for (const [pattern, replacement] of RULES) clean = clean.replace(pattern, replacement);
  for (const assignment of ASSIGNMENTS) clean = maskAssigned(clean, assignment);
  return clean;
}

function maskAssigned(text: string, assignment: RegExp): string {
  let clean = '';
  let done = 0;
  for (const { 0: pair, 1: name = '', 2: value = '', index } of text.matchAll(assignment)) {
    const at = index + pair.length;
    if (index < done || !isSecret(name, unquoted(value))) continue;
    clean += `${text.slice(done, at)}${MASK}`;
    done = at + value.length;
  }
  return clean + text.slice(done);
}

/** Words of a shell: quotes hold them together, and `|`, `&`, `;` keep them apart. */
const SHELL_WORD = /(?:[^\s'"|&;]|'[^']*'|"[^"]*")+/g;

/** Text of many words in one argument: a title, a header, or what a shell is to run. */
function scrubText(text: string): string {
  const words = new Words(true);
  return scrubWord(text).replace(SHELL_WORD, (word) => {
    const [, quote, inner] = /^(["'])(.*\s.*)\1$/s.exec(word) ?? [];
    return quote === undefined || inner === undefined ? words.next(word) : `${quote}${scrubText(inner)}${quote}`;
  });
}
