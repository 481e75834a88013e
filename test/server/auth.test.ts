import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ensureTokens, isAuthorized, tokenFile } from '../../src/server/auth.ts';
import { scratchFolder } from '../support/scratch.ts';

function mode(file: string): string {
  return (statSync(file).mode & 0o777).toString(8);
}

function request(authorization?: string): IncomingMessage {
  return { headers: { authorization } } as IncomingMessage;
}

describe('tokens', { timeout: 30_000 }, () => {
  it('are made on first use, different for each role, for their owner alone to read', (t) => {
    const dataDir = join(scratchFolder(t), 'new', 'data');
    const tokens = ensureTokens(dataDir);
    assert.notEqual(tokens.agent, tokens.viewer);
    for (const role of ['agent', 'viewer'] as const) {
      assert.match(tokens[role], /^[\w-]{43}$/);
      assert.equal(readFileSync(tokenFile(dataDir, role), 'utf8').trim(), tokens[role]);
      assert.equal(mode(tokenFile(dataDir, role)), '600');
    }
    assert.equal(mode(dataDir), '700');
  });

  it('stay the same from then on', (t) => {
    const dataDir = scratchFolder(t);
    assert.deepEqual(ensureTokens(dataDir), ensureTokens(dataDir));
  });

  it('are closed to others again when somebody opened them', (t) => {
    const dataDir = scratchFolder(t);
    ensureTokens(dataDir);
    chmodSync(tokenFile(dataDir, 'agent'), 0o644);
    ensureTokens(dataDir);
    assert.equal(mode(tokenFile(dataDir, 'agent')), '600');
  });

  it('that are too short are refused, and left as they are', (t) => {
    const dataDir = scratchFolder(t);
    writeFileSync(tokenFile(dataDir, 'viewer'), `${'x'.repeat(31)}\n`);
    assert.throws(() => ensureTokens(dataDir), {
      name: 'Problem',
      code: 'ERR_TOKEN',
      exitCode: 2,
      message: /viewer\.token/,
    });
    assert.equal(readFileSync(tokenFile(dataDir, 'viewer'), 'utf8'), `${'x'.repeat(31)}\n`);
  });

  it('need a folder that can be made', (t) => {
    const file = join(scratchFolder(t), 'file');
    writeFileSync(file, '');
    assert.throws(() => ensureTokens(join(file, 'data')), { name: 'Problem', code: 'ERR_DATA_DIR', exitCode: 2 });
  });
});

describe('isAuthorized', { timeout: 30_000 }, () => {
  const token = 'abcDEF_-0123456789abcDEF_-0123456789';

  it('takes the bearer of the token', () => {
    assert.equal(isAuthorized(request(`Bearer ${token}`), token), true);
  });

  for (const [what, authorization] of [
    ['nothing', undefined],
    ['another token', `Bearer ${token.toLowerCase()}`],
    ['the beginning of the token', `Bearer ${token.slice(0, -1)}`],
    ['more than the token', `Bearer ${token}x`],
    ['an empty token', 'Bearer '],
    ['the token without its scheme', token],
    ['another scheme', `Basic ${token}`],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.equal(isAuthorized(request(authorization), token), false);
    });
  }
});
