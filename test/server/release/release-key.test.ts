import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ensureReleaseKey } from '../../../src/server/release/release-key.ts';
import { scratchFolder } from '../../support/scratch.ts';

/** The prefix of every Ed25519 public key in DER, RFC 8410. */
const PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

describe('the release key', () => {
  it('is made once, for its owner alone, and signs what its public part verifies', (t) => {
    const folder = join(scratchFolder(t), 'data');
    const key = ensureReleaseKey(folder);
    const raw = Buffer.from(key.publicKey, 'base64');
    assert.equal(raw.length, 32);
    const publicKey = createPublicKey({ key: Buffer.concat([PREFIX, raw]), format: 'der', type: 'spki' });
    const text = '{"version":"企业"}';
    const signature = Buffer.from(key.sign(text), 'base64');
    assert.equal(verify(null, Buffer.from(text), publicKey, signature), true);
    assert.equal(verify(null, Buffer.from(`${text} `), publicKey, signature), false);
    const file = join(folder, 'release.key');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match(readFileSync(file, 'utf8'), /^-----BEGIN PRIVATE KEY-----\n/);
    const before = readFileSync(file, 'utf8');
    const again = ensureReleaseKey(folder);
    assert.deepEqual([again.publicKey, again.sign(text)], [key.publicKey, key.sign(text)]);
    assert.equal(readFileSync(file, 'utf8'), before);
    assert.notEqual(ensureReleaseKey(scratchFolder(t)).publicKey, key.publicKey);
  });

  it('is closed to others when somebody opened it', (t) => {
    const folder = scratchFolder(t);
    ensureReleaseKey(folder);
    chmodSync(join(folder, 'release.key'), 0o644);
    ensureReleaseKey(folder);
    assert.equal(statSync(join(folder, 'release.key')).mode & 0o777, 0o600);
  });

  it('is never replaced by another one, whatever is in its file', (t) => {
    const folder = scratchFolder(t);
    const file = join(folder, 'release.key');
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const { publicKey } = generateKeyPairSync('ed25519');
    for (const text of [
      '',
      'nonsense\n',
      rsa.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    ]) {
      writeFileSync(file, text);
      assert.throws(() => ensureReleaseKey(folder), {
        ...{ name: 'Problem', code: 'ERR_RELEASE_KEY', exitCode: 2 },
        message: new RegExp(`^${file} holds no Ed25519 key: bring it back from a copy `),
      });
      assert.equal(readFileSync(file, 'utf8'), text);
    }
  });

  it('says so when its folder is none', (t) => {
    const file = join(scratchFolder(t), 'file');
    writeFileSync(file, '');
    assert.throws(() => ensureReleaseKey(file), { name: 'Problem', code: 'ERR_DATA_DIR' });
  });
});
