/** Words that make a name one of a secret, whatever stands around them: `dbPassword`, `API_TOKEN_PROD`, `storepass`. */
const SECRET_WORD =
  /^(?:pass(?:w|wo|wor)?|pw|pwd|psk|jwt|bearer|authorization)$|(?:password|passwd|passphrase|passcode|secret|token|apikey|accesskey|secretkey)s?$/;
/** `storepass`, `requirepass`, `rootpw`; not `bypass`. */
const SECRET_ENDING = /(?<!^(?:by|com|over|sur|tres|under|encom))pass$|.pw$|masterauth$/;
/** Words whose value may as well be a file: `-auth /run/Xauthority`, `--private-key=/etc/key.pem`. */
const SECRET_OR_PLACE = /^(?:auth|authkey|credentials?|privatekey)$/;
/** `key` alone says nothing; after one of these it does. */
const BEFORE_KEY =
  /^(?:access|account|api|auth|encryption|license|master|private|secret|session|shared|signing|storage)$/;
/** A name that ends so says how, where or how long, and not what. */
const HARMLESS_END =
  /^(?:file|filename|path|dir|directory|folder|url|uri|host|port|server|socket|stdin|fd|env|name|field|header|mode|method|type|format|policy|plugins?|provider|authentication|algorithm|audience|issuer|timeout|ttl|lifetime|expiry|expiration|interval|length|size|limit|count|retries|prompt|enabled?|disabled?)$/;
/** A name that begins so is a switch or a number. */
const HARMLESS_BEGIN = /^(?:no|skip|ask|prompt|without|disable|enable|max|min|num)$/;

/**
 * Whether an option, variable, header or parameter of this name holds a secret: `surely`, or `unless it is a path`.
 * @param name without dashes in front; its words are told apart by `-`, `_`, `.` and capitals.
 */
export function secrecy(name: string): 'no' | 'surely' | 'unless-path' {
  if (/^(?:OLD)?PWD$/.test(name)) return 'no';
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .split(/[-_.]+/)
    .filter((word) => word !== '');
  if (HARMLESS_END.test(words.at(-1) ?? '') || HARMLESS_BEGIN.test(words[0] ?? '')) return 'no';
  if (words.some((word) => SECRET_WORD.test(word) || SECRET_ENDING.test(word))) return 'surely';
  const isKey = words.some((word, index) => word === 'key' && BEFORE_KEY.test(words[index - 1] ?? ''));
  return isKey || words.some((word) => SECRET_OR_PLACE.test(word)) ? 'unless-path' : 'no';
}

/** Whether a value of that name has to be hidden; a switch's value and an empty one tell nothing. */
export function isSecret(name: string, value: string): boolean {
  const kind = secrecy(name);
  if (kind === 'no' || /^(?:true|false|yes|no|on|off|none|null|\d|)$/i.test(value)) return false;
  return kind === 'surely' || !/^\/[\w.@-]+(?:\/[\w.@-]+)+$/.test(value);
}
