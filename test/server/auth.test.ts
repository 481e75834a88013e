import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  agentToken,
  bearerToken,
  ensureSecrets,
  hostOfToken,
  isSame,
  tokenFile,
  verifyAgentToken,
} from '../../src/server/auth.ts';
import { scratchFolder } from '../support/scratch.ts';

const SECRET = Buffer.alloc(32, 7);

function mode(file: string): string {
  return (statSync(file).mode & 0o777).toString(8);
}

function ownToken(dataDir: string): string {
  return readFileSync(tokenFile(dataDir, 'agent'), 'utf8').trim();
}

describe('secrets', { timeout: 30_000 }, () => {
  it('are made on first use, each different, for their owner alone to read', (t) => {
    const dataDir = join(scratchFolder(t), 'new', 'data');
    const secrets = ensureSecrets(dataDir, 'srv-1');
    assert.equal(secrets.agents.length, 32);
    for (const role of ['viewer', 'operator'] as const) {
      assert.match(secrets[role], /^[\w-]{43}$/);
      assert.equal(readFileSync(tokenFile(dataDir, role), 'utf8').trim(), secrets[role]);
    }
    assert.notEqual(secrets.viewer, secrets.operator);
    assert.notEqual(secrets.agents.toString('base64url'), secrets.viewer);
    const files = readdirSync(dataDir);
    assert.deepEqual(files.sort(), ['agent.token', 'agents.secret', 'operator.token', 'viewer.token']);
    for (const file of files) assert.equal(mode(join(dataDir, file)), '600', file);
    assert.equal(mode(dataDir), '700');
  });

  it('stay the same from then on', (t) => {
    const dataDir = scratchFolder(t);
    assert.deepEqual(ensureSecrets(dataDir, 'srv-1'), ensureSecrets(dataDir, 'srv-1'));
  });

  it('are closed to others again when somebody opened them', (t) => {
    const dataDir = scratchFolder(t);
    ensureSecrets(dataDir, 'srv-1');
    for (const file of readdirSync(dataDir)) chmodSync(join(dataDir, file), 0o644);
    ensureSecrets(dataDir, 'srv-1');
    for (const file of readdirSync(dataDir)) assert.equal(mode(join(dataDir, file)), '600', file);
  });

  for (const [what, text] of [
    ['too short', 'x'.repeat(42)],
    ['empty', ''],
    ['something else', 'not a secret, although it is long enough to be one'],
  ])
    it(`that are ${what} are refused, and left as they are`, (t) => {
      for (const name of ['agents.secret', 'viewer.token', 'operator.token']) {
        const file = join(scratchFolder(t), name);
        writeFileSync(file, `${text}\n`);
        assert.throws(() => ensureSecrets(join(file, '..'), 'srv-1'), {
          name: 'Problem',
          code: 'ERR_TOKEN',
          exitCode: 2,
          message: new RegExp(`${name} holds no`),
        });
        assert.equal(readFileSync(file, 'utf8'), `${text}\n`);
      }
    });

  it('need a folder that can be made', (t) => {
    const file = join(scratchFolder(t), 'file');
    writeFileSync(file, '');
    const expected = { name: 'Problem', code: 'ERR_DATA_DIR', exitCode: 2 };
    assert.throws(() => ensureSecrets(join(file, 'data'), 'srv-1'), expected);
  });
});

describe('the token of the server’s own machine', { timeout: 30_000 }, () => {
  it('is for that machine, of the first generation', (t) => {
    const dataDir = scratchFolder(t);
    const { agents } = ensureSecrets(dataDir, 'srv-1');
    assert.deepEqual(verifyAgentToken(agents, ownToken(dataDir)), { host: 'srv-1', generation: 0 });
  });

  it('is kept when it is of a later generation', (t) => {
    const dataDir = scratchFolder(t);
    const { agents } = ensureSecrets(dataDir, 'srv-1');
    const later = agentToken(agents, { host: 'srv-1', generation: 3 });
    writeFileSync(tokenFile(dataDir, 'agent'), `${later}\n`);
    ensureSecrets(dataDir, 'srv-1');
    assert.equal(ownToken(dataDir), later);
  });

  for (const [what, token] of [
    ['another host’s, copied from another server', undefined],
    ['from before tokens named their hosts', 'x'.repeat(43)],
    ['of another secret', agentToken(SECRET, { host: 'srv-1', generation: 0 })],
  ] as const)
    it(`is made anew when it is ${what}`, (t) => {
      const dataDir = scratchFolder(t);
      const { agents } = ensureSecrets(dataDir, 'srv-1');
      writeFileSync(tokenFile(dataDir, 'agent'), token ?? agentToken(agents, { host: 'srv-2', generation: 0 }));
      ensureSecrets(dataDir, 'srv-1');
      assert.deepEqual(verifyAgentToken(agents, ownToken(dataDir)), { host: 'srv-1', generation: 0 });
      assert.equal(mode(tokenFile(dataDir, 'agent')), '600');
    });
});

describe('an agent’s token', { timeout: 30_000 }, () => {
  it('is the host, the generation and the HMAC of both', () => {
    // printf 'db-1\n2' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…07 -binary | basenc --base64url
    const token = agentToken(SECRET, { host: 'db-1', generation: 2 });
    assert.equal(token, 'ZGItMQ.2.xL_PYkGq6L4Lkzq7k4XPNK3p80v1oquhgmePWbmNOF0');
  });

  for (const host of ['db-1', '192.168.168.11', '2001:db8::1', 'böse', 'a'.repeat(255)])
    it(`says whose it is: ${host.slice(0, 20)}`, () => {
      const token = agentToken(SECRET, { host, generation: 12 });
      assert.deepEqual(verifyAgentToken(SECRET, token), { host, generation: 12 });
      assert.equal(hostOfToken(token), host);
    });

  const [host, , proof] = agentToken(SECRET, { host: 'db-1', generation: 1 }).split('.');
  for (const [what, token] of [
    ['for another host with its proof', `${Buffer.from('db-2').toString('base64url')}.1.${proof}`],
    ['of another generation with its proof', `${host}.2.${proof}`],
    ['with a generation written otherwise', `${host}.01.${proof}`],
    ['with a host written otherwise', `${host}=.1.${proof}`],
    ['without its end', `${host}.1.${proof?.slice(0, -1)}`],
    ['with more at its end', `${host}.1.${proof}A`],
    ['without a proof', `${host}.1.`],
    ['of another secret', agentToken(Buffer.alloc(32, 8), { host: 'db-1', generation: 1 })],
    ['that is none', 'x'.repeat(43)],
    ['that is empty', ''],
    ['of a host that is too long', agentToken(SECRET, { host: 'a'.repeat(400), generation: 1 })],
  ] as const)
    it(`${what} is refused`, () => {
      assert.equal(verifyAgentToken(SECRET, token), undefined);
    });

  it('whose base64 ends otherwise and means the same is refused', () => {
    // The last of 43 digits has two bits that mean nothing.
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = digits.indexOf(proof?.at(-1) ?? '');
    const same = `${proof?.slice(0, -1)}${digits[last ^ 1]}`;
    assert.deepEqual(Buffer.from(same, 'base64url'), Buffer.from(proof ?? '', 'base64url'));
    assert.equal(verifyAgentToken(SECRET, `${host}.1.${same}`), undefined);
  });
});

describe('bearerToken', { timeout: 30_000 }, () => {
  const token = 'abcDEF_-0123456789abcDEF_-0123456789';

  it('takes what follows the scheme', () => {
    assert.equal(bearerToken(`Bearer ${token}`), token);
  });

  for (const [what, authorization] of [
    ['nothing', undefined],
    ['an empty token', 'Bearer '],
    ['two tokens', `Bearer ${token} ${token}`],
    ['the token without its scheme', token],
    ['another scheme', `Basic ${token}`],
  ] as const) {
    it(`takes nothing of ${what}`, () => {
      assert.equal(bearerToken(authorization), undefined);
    });
  }
});

describe('isSame', { timeout: 30_000 }, () => {
  it('tells equal texts from all others, of any length', () => {
    assert.equal(isSame('token', 'token'), true);
    for (const other of ['Token', 'toke', 'tokens', '', 'x'.repeat(10_000)])
      assert.equal(isSame(other, 'token'), false);
  });
});
