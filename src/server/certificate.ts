import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { Problem } from '../problem.ts';
import { type CertificateFiles, ownCertificateFiles } from './certificate-files.ts';
import { createSecretFile, readSecretFile } from './secret-file.ts';

/** What a server shows to who connects. */
export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** Its SHA-256, `AB:CD:…`, which agents and viewers can pin. */
  readonly fingerprint: string;
  readonly validToMs: number;
  /** No authority vouches for it: who connects has to pin it. */
  readonly isSelfSigned: boolean;
}

/**
 * Reads the server's own certificate, making it first where there is none. Servers that do so at the same time end up with
 * the same one: the key is the first one's, and the certificate the first that is made for it.
 * @throws Problem as `readCertificate`.
 */
export async function ensureCertificate(dataDir: string): Promise<Certificate> {
  const files = ownCertificateFiles(dataDir);
  const mend = `remove ${files.cert} and ${files.key} and new ones are made, which agents and viewers have to be told`;
  if (readSecretFile(files.cert) === undefined) {
    // The library is of use once in the life of a server.
    const { newKey, selfSignedCertificate } = await import('./self-signed.ts');
    const key = readSecretFile(files.key) ?? createSecretFile(files.key, newKey());
    let cert: string;
    try {
      cert = await selfSignedCertificate(key);
    } catch (cause) {
      throw new Problem('ERR_CERTIFICATE', `no certificate can be made for the key ${files.key}: ${mend}`, {
        exitCode: 2,
        cause,
      });
    }
    createSecretFile(files.cert, cert);
  }
  return readCertificate(files, mend);
}

/**
 * @param mend What to do about a pair that is of no use.
 * @throws Problem when a file cannot be read, is none, the two do not belong together, or the certificate is not valid now.
 */
export function readCertificate(files: CertificateFiles, mend: string): Certificate {
  const problem = (what: string, cause?: unknown): Problem =>
    new Problem('ERR_CERTIFICATE', `${what}: ${mend}`, { exitCode: 2, cause });
  const read = <Value>(file: string, kind: string, parse: (text: string) => Value): [string, Value] => {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? cause.code : cause;
      throw problem(`the server's ${kind} ${file} cannot be read (${code})`, cause);
    }
    try {
      return [text, parse(text)];
    } catch (cause) {
      throw problem(`${file} holds no ${kind} (PEM, without a password)`, cause);
    }
  };
  const [cert, x509] = read(files.cert, 'certificate', (text) => new X509Certificate(text));
  const [key, privateKey] = read(files.key, 'private key', createPrivateKey);
  if (!x509.checkPrivateKey(privateKey)) throw problem(`the key ${files.key} is not that of ${files.cert}`);
  const now = Date.now();
  if (now > x509.validToDate.getTime())
    throw problem(`the certificate ${files.cert} expired on ${x509.validToDate.toISOString()}`);
  if (now < x509.validFromDate.getTime())
    throw problem(`the certificate ${files.cert} is valid from ${x509.validFromDate.toISOString()} only`);
  try {
    // What OpenSSL finds too weak, or cannot use, is found now and not when the first one connects.
    createSecureContext({ cert, key });
  } catch (cause) {
    throw problem(`${files.cert} and ${files.key} cannot be used (${cause instanceof Error ? cause.message : cause})`);
  }
  return {
    cert,
    key,
    fingerprint: x509.fingerprint256,
    validToMs: x509.validToDate.getTime(),
    isSelfSigned: x509.checkIssued(x509) && x509.verify(x509.publicKey),
  };
}
