import 'reflect-metadata';
import { X509Certificate as NodeCertificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  BasicConstraintsExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Certificate } from '../../src/server/certificate.ts';

const CURVE = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

export interface Authority {
  certificate: X509Certificate;
  keys: { publicKey: CryptoKey; privateKey: CryptoKey };
  /** PEM. */
  cert: string;
}

interface Wanted {
  /** Host names and addresses it is for. */
  names?: string[];
  /** Days from now. */
  from?: number;
  to?: number;
  /** Signs it; otherwise it signs itself. */
  authority?: Authority;
}

/** An authority of a test's own, which nobody trusts by itself. */
export async function makeAuthority(): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(CURVE, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=test authority',
    keys,
    signingAlgorithm: CURVE,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  return { certificate, keys, cert: certificate.toString('pem') };
}

/** A certificate with its key, valid for 127.0.0.1 and today unless it is to be otherwise. */
export async function makeCertificate(wanted: Wanted = {}): Promise<Certificate> {
  const { names = ['127.0.0.1'], from = -1, to = 100, authority } = wanted;
  const keys = await crypto.subtle.generateKey(CURVE, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create({
    subject: 'CN=server',
    issuer: authority?.certificate.subject ?? 'CN=server',
    notBefore: new Date(Date.now() + from * DAY_MS),
    notAfter: new Date(Date.now() + to * DAY_MS),
    publicKey: keys.publicKey,
    signingKey: (authority?.keys ?? keys).privateKey,
    signingAlgorithm: CURVE,
    extensions: [
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
    ],
  });
  const cert = certificate.toString('pem');
  return {
    cert,
    key: PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY'),
    fingerprint: new NodeCertificate(cert).fingerprint256,
    validToMs: certificate.notAfter.getTime(),
    isSelfSigned: authority === undefined,
  };
}
