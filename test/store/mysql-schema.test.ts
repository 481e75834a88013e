import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { initSql } from '../../src/store/mysql-schema.ts';
import { SCHEMA_VERSION } from '../../src/store/tables.ts';

describe('init/init.sql', () => {
  it('is what the generator makes', () => {
    assert.equal(readFileSync('init/init.sql', 'utf8'), initSql(SCHEMA_VERSION), 'run: npm run generate');
  });
});
