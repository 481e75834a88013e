import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SORT_NAMES } from '../../src/protocol/metric.ts';
import { DEFAULT_LIMIT, GROUPINGS, MAX_LIMIT, querySchema } from '../../src/protocol/query.ts';
import { processQuery } from '../support/test-server.ts';

const YEAR_MS = 366 * 86_400_000;

function isQuery(fields: object): boolean {
  return querySchema.safeParse({ ...processQuery(), ...fields }).success;
}

/** What is at the edge is a query, what is next to it is none. */
function assertBounds(field: string, allowed: readonly unknown[], refused: readonly unknown[]): void {
  for (const value of allowed) assert.equal(isQuery({ [field]: value }), true, `${field} ${value}`);
  for (const value of refused) assert.equal(isQuery({ [field]: value }), false, `${field} ${value}`);
}

describe('query', () => {
  it('takes every view, sort and grouping, and no other', () => {
    assertBounds('view', ['hosts', 'processes'], ['threads', '', undefined, null]);
    assertBounds('sort', SORT_NAMES, ['cpuPercent', '', undefined]);
    assertBounds('groupBy', [...GROUPINGS, undefined], ['pid', '', null]);
  });

  it('asks for at least one row and at most for what a frame holds', () => {
    assertBounds('limit', [1, DEFAULT_LIMIT, MAX_LIMIT], [0, -1, 1.5, MAX_LIMIT + 1, '5', undefined, Number.NaN]);
  });

  it('names a host and has a filter of some length, or does without', () => {
    assertBounds('host', ['h', 'h'.repeat(255), undefined], ['', 'h'.repeat(256), 5, null]);
    assertBounds('filter', ['f', 'f'.repeat(500), undefined], ['', 'f'.repeat(501), {}, null]);
  });

  it('is about a whole moment since 1970', () => {
    assertBounds('atMs', [0, Date.UTC(2026, 6, 1), undefined], [-1, 0.5, '2026-07-01', Infinity, null]);
  });

  it('looks back for at least a second and at most a year', () => {
    assertBounds('windowMs', [1_000, YEAR_MS, undefined], [0, 999, YEAR_MS + 1, 1_000.5, null]);
  });

  it('drops what it does not know', () => {
    assert.deepEqual(querySchema.parse({ ...processQuery(), colour: 'red' }), processQuery());
  });
});
