import { isSecret, secrecy } from './secret-name.ts';

/** What stands where a secret stood. */
export const MASK = '***';

/** What the options of a program do not say by their names. */
interface Habits {
  program?: RegExp;
  /** Letters whose secret is in the same word: `-pSECRET`. */
  attached?: string;
  /** Letters whose secret is in the same word or in the next: `-a SECRET`. */
  letters?: string;
  /** Letters may stand together, and the last takes the value: `-su user:secret`. */
  bundled?: boolean;
  /** Words whose secret is behind a `=` or in the next word. */
  words?: readonly string[];
  /** Those of them that take `user:secret`, of which the user may be seen. */
  pairs?: RegExp;
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
  {
    program: /^curl$/,
    letters: 'uUb',
    bundled: true,
    words: ['--user', '--proxy-user', '--cookie'],
    pairs: /[uU]$|user$/,
  },
  { program: /^https?$/, letters: 'a', pairs: /a$/ },
  { program: /^etcdctl$/, words: ['--user'], pairs: /user$/ },
  { program: /^ldap(?:search|modify|add|delete|passwd|whoami)$/, letters: 'w' },
  { program: /^smbclient$/, letters: 'U', pairs: /U$/ },
  { program: /^lftp$/, letters: 'u', pairs: /u$/ },
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
  #habits: Habits = {};
  #previous = '';
  /** What the word before wants to be made of this one. */
  #pending: ((word: string) => string) | undefined;

  /** @param isText the words come out of one argument: white space in them is quoted. */
  constructor(isText: boolean) {
    this.#isText = isText;
  }

  next(word: string): string {
    const clean = this.#next(word);
    this.#previous = word;
    return clean;
  }

  #next(word: string): string {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined && !word.startsWith('-')) return pending(word);
    if (!this.#isText && /\s/.test(word) && /^-\w*c$/.test(this.#previous)) return scrubText(word);
    const named = this.#namedSecret(word);
    if (named !== undefined) return named;
    if (!this.#isText && /\s/.test(word)) return scrubText(word);
    if (!word.startsWith('-')) this.#habits = habitsOf(word) ?? this.#habits;
    const { within } = this.#habits;
    const rest = within === undefined ? word : word.replace(within, `$1${MASK}`);
    return (word.startsWith('-') ? this.#letterSecret(rest) : undefined) ?? scrubWord(rest);
  }

  /** `--password=SECRET`, `--password SECRET`, `API_TOKEN=SECRET`. */
  #namedSecret(word: string): string | undefined {
    // A password behind its letter, whatever the letters say together: `-pSECRET`.
    if (/^-p[A-Z]/.test(word)) return this.#letterSecret(word);
    const [, dashes = '', name, value] = /^(-{0,2})([A-Za-z_][\w.-]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
    if (name === undefined) return undefined;
    const { words, pairs } = this.#habits;
    if (words?.includes(dashes + name)) {
      const isPair = pairs?.test(name);
      if (value !== undefined) return `${dashes}${name}=${masked(value, isPair)}`;
      this.#pending = (next) => masked(next, isPair);
      return word;
    }
    if (value !== undefined) return isSecret(name, unquoted(value)) ? `${dashes}${name}=${MASK}` : undefined;
    if (dashes === '' || name.length === 1 || secrecy(name) === 'no') return undefined;
    this.#pending = (next) => (isSecret(name, unquoted(next)) ? MASK : next);
    return word;
  }

  /** `-pSECRET`, `-a SECRET`, `-su user:secret`. */
  #letterSecret(word: string): string | undefined {
    const { attached = '', letters = '', bundled, pairs } = this.#habits;
    const letter = word.charAt(1);
    const rest = word.slice(2);
    if (rest !== '' && (attached + letters).includes(letter)) return `-${letter}${masked(rest, pairs?.test(letter))}`;
    if (letters.includes(word.at(-1) ?? '-') && (rest === '' || (bundled && /^-[A-Za-z]+$/.test(word)))) {
      this.#pending = (next) => masked(next, pairs?.test(word));
      return word;
    }
    return letter === 'p' && this.#habits.program === undefined && looksSecret(rest) ? `-p${MASK}` : undefined;
  }
}

function habitsOf(word: string): Habits | undefined {
  const name = unquoted(word).replace(/^.*\//, '');
  return HABITS.find(({ program }) => program?.test(name));
}

/** Long, and neither a port, an address, a path, letters, a word nor a setting: `-p2222`, `-pxvzf`, `-pidfile`, `-port=1`. */
function looksSecret(text: string): boolean {
  return text.length >= 6 && /[^\d:,.-]/.test(text) && /[^a-z_.:,-]/.test(text) && !/^(?:[./]|[\w.-]*=)/.test(text);
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/s, '$2');
}

function masked(value: string, isPair = false): string {
  const user = isPair ? /^["']?[^:%,@/\s"']+[:%,](?=.)/.exec(value) : null;
  return `${user?.[0] ?? ''}${MASK}`;
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

/** Words of a shell: quotes hold them together, and `|`, `&`, `;` and brackets keep them apart. */
const SHELL_WORD = /(?:[^\s'"|&;()[\]]|'[^']*'|"[^"]*")+/g;

/** Text of many words in one argument: a title, a header, or what a shell is to run. */
function scrubText(text: string): string {
  const words = new Words(true);
  return scrubWord(text).replace(SHELL_WORD, (word) => {
    const [, quote, inner] = /^(["'])(.*\s.*)\1$/s.exec(word) ?? [];
    return quote === undefined || inner === undefined ? words.next(word) : `${quote}${scrubText(inner)}${quote}`;
  });
}
