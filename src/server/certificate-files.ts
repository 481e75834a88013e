import { join } from 'node:path';

/** PEM files of a certificate, with those of its authorities below it if it has any, and of its private key. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** Those that a server makes on its first start. */
export function ownCertificateFiles(dataDir: string): CertificateFiles {
  return { cert: join(dataDir, 'server.crt'), key: join(dataDir, 'server.key') };
}
