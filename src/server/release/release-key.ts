import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { join } from 'node:path';
import { Problem } from '../../problem.ts';
import { createSecretFile, readSecretFile } from '../secret-file.ts';

/** Signs what hosts are to run: whoever has it can have them run anything. */
export interface ReleaseKey {
  /** The raw 32 bytes in base64, as agents have it. */
  readonly publicKey: string;
  /** @returns the Ed25519 signature over the UTF-8 of a text, base64. */
  sign(text: string): string;
}

/**
 * Reads the key below the data folder, PKCS #8 in PEM, or makes it, readable by its owner alone.
 * @throws Problem when the folder or the file cannot be used. What is in the file is never replaced: agents know no other.
 */
export function ensureReleaseKey(dataDir: string): ReleaseKey {
  const file = join(dataDir, 'release.key');
  const key = parse(file, readSecretFile(file) ?? createSecretFile(file, newKey()));
  // The last bytes of the structure, https://www.rfc-editor.org/rfc/rfc8410#section-4.
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
  return { publicKey, sign: (text) => sign(null, Buffer.from(text), key).toString('base64') };
}

function newKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

function parse(file: string, text: string): KeyObject {
  let cause: unknown;
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (error) {
    cause = error;
  }
  throw new Problem(
    'ERR_RELEASE_KEY',
    `${file} holds no Ed25519 key: bring it back from a copy or from another server; without it, remove it, and have every host deployed anew with the one that is made`,
    { exitCode: 2, cause },
  );
}
