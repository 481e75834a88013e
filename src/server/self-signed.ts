// The library's decorators want it to be there before them.
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const VALID_YEARS = 30;
/** Clocks of hosts may be behind. */
const LEEWAY_MS = 86_400_000;

/** A new private key, PEM. */
export function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: CURVE.namedCurve,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return privateKey;
}

/**
 * A certificate of this machine for a private key, PEM both; good for its name and for loopback.
 * @throws Error when the key is none of `newKey`.
 */
export async function selfSignedCertificate(key: string): Promise<string> {
  const privateKey = createPrivateKey(key);
  const names = [...new Set([hostname(), 'localhost', '127.0.0.1', '::1'])];
  const notBefore = new Date(Date.now() - LEEWAY_MS);
  const notAfter = new Date(notBefore);
  notAfter.setFullYear(notAfter.getFullYear() + VALID_YEARS);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // A serial number is positive and at most 20 bytes long (RFC 5280, 4.1.2.2).
    serialNumber: `01${randomBytes(15).toString('hex')}`,
    name: [{ CN: ['procmesh'] }],
    notBefore,
    notAfter,
    signingAlgorithm: { ...CURVE, hash: 'SHA-256' },
    keys: {
      privateKey: privateKey.toCryptoKey(CURVE, true, ['sign']),
      publicKey: createPublicKey(privateKey).toCryptoKey(CURVE, true, ['verify']),
    },
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}
