import { type LiqeQuery, parse, test } from 'liqe';
import { METRICS } from './metric.ts';
import { type ProcessRow, processRowSchema } from './row.ts';

const FIELDS = new Set<string>([
  ...Object.keys(processRowSchema.shape),
  ...METRICS.map((metric) => metric.sort),
  'port',
]);

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
  let query: LiqeQuery;
  try {
    query = parse(text);
  } catch (cause) {
    throw new FilterError(text, cause);
  }
  const known = wordsWithColons(query);
  return (row) => test(known, withAliases(row));
}

/** `mysqld:3307` is an instance's name, not a field called mysqld: what names no field is looked for as it stands. */
function wordsWithColons(query: LiqeQuery): LiqeQuery {
  switch (query.type) {
    case 'LogicalExpression':
      return { ...query, left: wordsWithColons(query.left), right: wordsWithColons(query.right) };
    case 'UnaryOperator':
      return { ...query, operand: wordsWithColons(query.operand) };
    case 'ParenthesizedExpression':
      return { ...query, expression: wordsWithColons(query.expression) };
    case 'Tag': {
      const { field, expression } = query;
      if (field.type === 'ImplicitField' || FIELDS.has(field.name) || expression.type !== 'LiteralExpression')
        return query;
      const value = `${field.name}:${expression.value}`;
      return {
        ...query,
        field: { type: 'ImplicitField' },
        expression: { ...expression, quoted: true, quotes: 'double', value },
      };
    }
    default:
      return query;
  }
}

function withAliases(row: ProcessRow): Record<string, unknown> {
  const fields: Record<string, unknown> = { ...row, port: row.ports };
  for (const metric of METRICS) fields[metric.sort] = row[metric.name];
  return fields;
}
