import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ensureCertificate, readCertificate } from '../../src/server/certificate.ts';
import { type CertificateFiles, ownCertificateFiles } from '../../src/server/certificate-files.ts';
import { makeAuthority, makeCertificate } from '../support/certificates.ts';
import { scratchFolder } from '../support/scratch.ts';

const YEAR_MS = 365 * 86_400_000;

/** Files of an operator's own. */
function written(t: TestContext, { cert, key }: { cert: string; key: string }): CertificateFiles {
  const folder = scratchFolder(t);
  const files = { cert: join(folder, 'mesh.pem'), key: join(folder, 'mesh.key') };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  return files;
}

function assertProblem(files: CertificateFiles, message: RegExp): void {
  assert.throws(
    () => readCertificate(files, 'mend it so'),
    (error: Error & { code: string; exitCode: number }) => {
      assert.deepEqual([error.name, error.code, error.exitCode], ['Problem', 'ERR_CERTIFICATE', 2]);
      assert.match(error.message, message);
      assert.match(error.message, /: mend it so$/);
      assert.doesNotMatch(error.message, /\n|PRIVATE/);
      return true;
    },
  );
}

describe('the certificate of a server', { timeout: 60_000 }, () => {
  it('is made on first use, for this machine and loopback, to last, for its owner alone to read', async (t) => {
    const dataDir = join(scratchFolder(t), 'new', 'data');
    const { cert, key, fingerprint, validToMs, isSelfSigned } = await ensureCertificate(dataDir);
    const x509 = new X509Certificate(cert);
    for (const name of [hostname(), 'localhost']) assert.equal(x509.checkHost(name), name);
    for (const address of ['127.0.0.1', '::1']) assert.equal(x509.checkIP(address), address);
    assert.equal(x509.checkHost('example.com'), undefined);
    assert.equal(x509.fingerprint256, fingerprint);
    assert.equal(x509.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
    assert.ok(x509.validFromDate.getTime() < Date.now() - 3_600_000);
    assert.ok(validToMs > Date.now() + 20 * YEAR_MS);
    assert.equal(isSelfSigned, true);
    const files = ownCertificateFiles(dataDir);
    assert.deepEqual([readFileSync(files.cert, 'utf8'), readFileSync(files.key, 'utf8')], [cert, key]);
    assert.deepEqual(readdirSync(dataDir).sort(), ['server.crt', 'server.key']);
    for (const file of Object.values(files)) assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it('stays the same from then on', async (t) => {
    const dataDir = scratchFolder(t);
    assert.deepEqual(await ensureCertificate(dataDir), await ensureCertificate(dataDir));
  });

  it('is one and the same for servers that start at the same time', async (t) => {
    const dataDir = scratchFolder(t);
    const made = await Promise.all(Array.from({ length: 8 }, () => ensureCertificate(dataDir)));
    assert.equal(new Set(made.map(({ fingerprint }) => fingerprint)).size, 1);
    assert.deepEqual(readdirSync(dataDir).sort(), ['server.crt', 'server.key']);
  });

  it('is made for the key that is there', async (t) => {
    const dataDir = scratchFolder(t);
    const { key } = await ensureCertificate(dataDir);
    rmSync(ownCertificateFiles(dataDir).cert);
    assert.equal((await ensureCertificate(dataDir)).key, key);
  });

  it('is not made for a key of another kind, nor over a certificate without one', async (t) => {
    const dataDir = scratchFolder(t);
    const files = ownCertificateFiles(dataDir);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const rsa = privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(files.key, rsa);
    const expected = { name: 'Problem', code: 'ERR_CERTIFICATE', exitCode: 2 };
    await assert.rejects(ensureCertificate(dataDir), {
      ...expected,
      message: /no certificate can be made for the key/,
    });
    assert.equal(readFileSync(files.key, 'utf8'), rsa);
    rmSync(files.key);
    writeFileSync(files.cert, (await makeCertificate()).cert);
    await assert.rejects(ensureCertificate(dataDir), {
      ...expected,
      message: /server\.key cannot be read \(ENOENT\): remove/,
    });
    assert.ok(!readdirSync(dataDir).includes('server.key'));
  });

  it('that is damaged or has expired is left alone, with a word on how to mend it', async (t) => {
    const dataDir = scratchFolder(t);
    const files = ownCertificateFiles(dataDir);
    for (const [cert, message] of [
      ['garbage', /server\.crt holds no certificate.*: remove .*server\.crt and .*server\.key and new ones are made/],
      [(await makeCertificate({ to: -0.5 })).cert, /is not that of|expired on/],
    ] as const) {
      writeFileSync(files.key, (await makeCertificate()).key);
      writeFileSync(files.cert, cert);
      await assert.rejects(ensureCertificate(dataDir), { code: 'ERR_CERTIFICATE', message });
      assert.equal(readFileSync(files.cert, 'utf8'), cert);
    }
  });
});

describe('a certificate of one’s own', { timeout: 60_000 }, () => {
  it('is read with its key, and is known to be vouched for by an authority', async (t) => {
    const made = await makeCertificate({ authority: await makeAuthority() });
    assert.deepEqual(readCertificate(written(t, made), ''), made);
    const own = await makeCertificate();
    assert.deepEqual(readCertificate(written(t, own), ''), own);
  });

  it('may bring those of its authorities', async (t) => {
    const authority = await makeAuthority();
    const made = await makeCertificate({ authority });
    const cert = `${made.cert}\n${authority.cert}`;
    assert.deepEqual(readCertificate(written(t, { ...made, cert }), ''), { ...made, cert });
  });

  it('that cannot be used is told apart', async (t) => {
    const good = await makeCertificate();
    const other = await makeCertificate();
    const encrypted = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'secret',
    });
    for (const [pair, message] of [
      [{ ...good, cert: 'garbage' }, /mesh\.pem holds no certificate/],
      [{ ...good, cert: '' }, /mesh\.pem holds no certificate/],
      [{ ...good, key: good.cert }, /mesh\.key holds no private key/],
      [{ ...good, key: String(encrypted) }, /mesh\.key holds no private key \(PEM, without a password\)/],
      [{ ...good, key: other.key }, /the key .*mesh\.key is not that of .*mesh\.pem/],
      [await makeCertificate({ from: -10, to: -1 }), /mesh\.pem expired on \d{4}-/],
      [await makeCertificate({ from: 1, to: 10 }), /mesh\.pem is valid from \d{4}-.* only/],
    ] as const)
      assertProblem(written(t, pair), message);
  });

  it('that is not there, or no file, is named with the reason', async (t) => {
    const files = written(t, await makeCertificate());
    assertProblem({ ...files, cert: `${files.cert}x` }, /certificate .*mesh\.pemx cannot be read \(ENOENT\)/);
    assertProblem({ ...files, key: join(files.key, '..') }, /private key .* cannot be read \(EISDIR\)/);
  });
});
