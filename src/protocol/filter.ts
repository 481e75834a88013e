import { setFlagsFromString } from 'node:v8';
import { type LiqeQuery, parse, test } from 'liqe';
import { METRICS } from './metric.ts';
import { type ProcessRow, processRowSchema } from './row.ts';

const FIELDS = new Set<string>([
  ...Object.keys(processRowSchema.shape),
  ...METRICS.map((metric) => metric.sort),
  'port',
]);

/** Fields in which a number means itself: `port:3306` is not 33060. */
const NUMBERS = new Set<string>([
  ...['port', 'ports', 'pid', 'threads'],
  ...METRICS.flatMap(({ name, sort }) => [name, sort, `${name}Max`]),
]);

/** Brackets and regular expressions in one filter: the parser's time doubles with each of them. */
const MAX_GROUPS = 12;

type Tag = Extract<LiqeQuery, { type: 'Tag' }>;

/** Decides whether a row is shown. */
export type Filter = (row: ProcessRow) => boolean;

export class FilterError extends Error {
  readonly code = 'ERR_FILTER';
  constructor(filter: string, cause: unknown) {
    super(
      `the filter ${JSON.stringify(filter)} cannot be read, it wants words like: mysqld, user:mysql, cpu:>50, NOT comm:bash, "two words"`,
      { cause },
    );
    this.name = 'FilterError';
  }
}

/**
 * A Lucene-like filter (the library liqe): a bare word is looked for in every field, `field:word` in one, `cpu:>50`
 * compares, and AND, OR, NOT, brackets, `*` and `/regex/` do what they say. Fields are those of the row; a metric also
 * answers to its sort name, and `port` to any listening port.
 * @throws FilterError when the text is no such filter.
 */
export function compileFilter(text: string): Filter {
  const groups = text.split('(').length - 1 + (text.split('/').length - 1) / 2;
  if (groups > MAX_GROUPS) throw new FilterError(text, new RangeError(`more than ${MAX_GROUPS} brackets`));
  // A viewer's regular expression runs on every process of every host. One that backtracks without end is left to V8's
  // other engine, whose time is linear in the text.
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
  let query: LiqeQuery;
  try {
    query = asMeant(parse(text));
    tryOut(query);
  } catch (cause) {
    throw new FilterError(text, cause);
  }
  return (row) => test(query, withAliases(row));
}

function asMeant(query: LiqeQuery): LiqeQuery {
  switch (query.type) {
    case 'LogicalExpression':
      return { ...query, left: asMeant(query.left), right: asMeant(query.right) };
    case 'UnaryOperator':
      return { ...query, operand: asMeant(query.operand) };
    case 'ParenthesizedExpression':
      return { ...query, expression: asMeant(query.expression) };
    case 'Tag':
      return tagAsMeant(query);
    default:
      return query;
  }
}

function tagAsMeant(tag: Tag): Tag {
  const { expression } = tag;
  if (expression.type === 'RegexExpression' && !expression.value.endsWith('/'))
    throw new SyntaxError('a regular expression with flags');
  const meant = fieldAsMeant(tag);
  if (meant.expression.type !== 'LiteralExpression' || meant.expression.quoted) return meant;
  const word = String(meant.expression.value);
  if (!/[*?]/.test(word)) return meant;
  return {
    ...meant,
    expression: { type: 'RegexExpression', value: wildcardPattern(word), location: expression.location },
  };
}

/** Upper and lower case spelled out: with a flag for it, a pattern is beyond the linear engine. */
function wildcardPattern(word: string): string {
  const parts = Array.from(word, (point) => {
    if (point === '*') return '[^]*?';
    if (point === '?') return '[^]';
    const cases = [...new Set([point.toLowerCase(), point.toUpperCase(), point])].map((spelling) =>
      RegExp.escape(spelling),
    );
    return cases.length === 1 ? cases[0] : `(?:${cases.join('|')})`;
  });
  return `/${parts.join('')}/`;
}

function fieldAsMeant(tag: Tag): Tag {
  const { field, expression, operator } = tag;
  if (field.type === 'ImplicitField' || expression.type !== 'LiteralExpression') return tag;
  if (NUMBERS.has(field.name) && typeof expression.value === 'number' && operator.operator === ':')
    return { ...tag, operator: { ...operator, operator: ':=' } };
  if (FIELDS.has(field.name)) return tag;
  // `mysqld:3307` is an instance's name, not a field called mysqld: what names no field is looked for as it stands.
  const value = `${field.name}:${expression.value}`;
  return { ...tag, field: { type: 'ImplicitField' }, expression: { ...expression, value } };
}

/** liqe finds out what is wrong with a word, such as `cpu:>much` or `/(/`, only when a row gets that far. */
function tryOut(query: LiqeQuery): void {
  switch (query.type) {
    case 'LogicalExpression':
      tryOut(query.left);
      tryOut(query.right);
      return;
    case 'UnaryOperator':
      tryOut(query.operand);
      return;
    case 'ParenthesizedExpression':
      tryOut(query.expression);
      return;
    case 'Tag':
      if (query.expression.type === 'EmptyExpression') throw new SyntaxError('a field without a word');
      test(query, { [query.field.type === 'ImplicitField' ? '' : query.field.name]: '' });
      return;
    default:
      throw new SyntaxError('nothing to look for');
  }
}

/** The row as the filter sees it. What is absent is left out: liqe would look for words in `undefined`. */
function withAliases(row: ProcessRow): Record<string, unknown> {
  const fields: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(row)) if (value !== undefined) fields[name] = value;
  fields.port = row.ports;
  for (const { name, sort } of METRICS) if (row[name] !== undefined) fields[sort] = row[name];
  return fields;
}
