import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import type { Config } from '../config.ts';
import { Problem } from '../problem.ts';
import { parsePin } from '../protocol/secure-socket.ts';
import { ownCertificateFiles } from '../server/certificate-files.ts';

/** The choice of the only certificate that a server may show. */
export function pinOption(): Option {
  return new Option(
    '--pin <sha256>',
    "fingerprint of the server's certificate, which procmesh doctor shows there (default: of this machine's server; with --server, an authority must vouch for it)",
  ).argParser((text) => {
    const pin = parsePin(text);
    if (pin === undefined) throw new InvalidArgumentError('It takes a SHA-256, 64 hexadecimal digits.');
    return pin;
  });
}

/** Fingerprint of the certificate of this machine's own server; undefined where there is none, or not for this user to read. */
export function ownPin({ tls, dataDir }: Pick<Config, 'tls' | 'dataDir'>): string | undefined {
  if (tls === 'off') return undefined;
  const { cert } = tls === 'auto' ? ownCertificateFiles(dataDir) : tls;
  try {
    return new X509Certificate(readFileSync(cert)).fingerprint256;
  } catch {
    return undefined;
  }
}

/** @throws Problem when a certificate is pinned of a server that shows none. */
export function requireTls(urls: readonly string[], pin: string | undefined): void {
  const plain = urls.find((url) => !url.startsWith('wss:'));
  if (pin === undefined || plain === undefined) return;
  throw new Problem('ERR_USAGE', `--pin wants a server that encrypts: wss://… instead of ${plain}`, { exitCode: 2 });
}
