import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { type Manifest, manifestSchema, type Upgrade } from '../../protocol/release.ts';
import { RELEASE } from './installation.ts';
import { UpgradeError } from './upgrade-error.ts';

/** What an agent compares a release with. */
export interface Pinned {
  /** The servers' Ed25519 key, its 32 bytes in base64. */
  releaseKey: string;
  /** Of the release that runs. */
  running: Manifest;
  architecture: string;
}

/** Names in the folder of a release that are not for its manifest to give. */
const RESERVED: ReadonlySet<string> = new Set([RELEASE.manifest, RELEASE.signature, RELEASE.node]);

/** @throws UpgradeError unless it is a newer release for this machine that the servers of this mesh have signed. */
export function verifyUpgrade({ manifest: text, signature }: Upgrade, pinned: Pinned): Manifest {
  if (!verify(null, Buffer.from(text), publicKey(pinned.releaseKey), Buffer.from(signature, 'base64')))
    throw new UpgradeError('its signature is not one of the release key that is pinned on this host');
  const result = manifestSchema.safeParse(parsed(text));
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new UpgradeError(`its manifest is not valid: ${issue?.path.join('.') || 'all of it'}: ${issue?.message}`);
  }
  const manifest = result.data;
  const { running, architecture } = pinned;
  if (manifest.serial <= running.serial)
    throw new UpgradeError(`it is of act ${manifest.serial}, and this host already runs the one of ${running.serial}`);
  if (manifest.architecture !== architecture)
    throw new UpgradeError(`it is for machines of kind ${manifest.architecture}, and this one is ${architecture}`);
  const paths = new Set(manifest.files.map(({ path }) => path));
  if (paths.size < manifest.files.length) throw new UpgradeError('its manifest names a file twice');
  for (const path of paths) {
    if (RESERVED.has(path)) throw new UpgradeError(`its manifest names ${path}, which is no file of a release`);
  }
  for (const path of [RELEASE.agent, RELEASE.options])
    if (!paths.has(path)) throw new UpgradeError(`its manifest lacks ${path}`);
  return manifest;
}

/** What it says of itself before it is verified, so that it can be answered. */
export function claimedSerial(text: string): number | undefined {
  const json = parsed(text);
  const serial = typeof json === 'object' && json !== null && 'serial' in json ? json.serial : undefined;
  return typeof serial === 'number' && Number.isSafeInteger(serial) && serial >= 1 ? serial : undefined;
}

/** RFC 8037: a raw key as a JSON Web Key. */
function publicKey(base64: string): KeyObject {
  const bytes = Buffer.from(base64, 'base64');
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') }, format: 'jwk' });
  } catch (cause) {
    throw new UpgradeError('the release key that is pinned on this host is damaged: have it deployed again', { cause });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
