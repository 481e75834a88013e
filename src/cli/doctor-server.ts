import { existsSync } from 'node:fs';
import type { Finding } from '../agent/abilities.ts';
import type { Config } from '../config.ts';
import { Problem } from '../problem.ts';
import { UntrustedError } from '../protocol/secure-socket.ts';
import { readCertificate } from '../server/certificate.ts';
import { ownCertificateFiles } from '../server/certificate-files.ts';
import type { FleetState } from '../store/fleet-state.ts';
import { askHealth } from './knock.ts';
import { serverAddress } from './options.ts';
import { ownPin } from './pin.ts';
import { compareSecrets, listedClaim, readSharedSecrets } from './shared-secrets.ts';

const DAY_MS = 86_400_000;
const RENEW_DAYS = 30;

/** The certificate of this machine's server, and whether the server answers with it and has the secrets that lie here. */
export async function serverFindings(config: Config, fleet: Promise<FleetState | undefined>): Promise<Finding[]> {
  return [certificate(config), await server(config, fleet)];
}

function certificate({ tls, dataDir }: Config): Finding {
  const check = 'certificate';
  if (tls === 'off') {
    const mend = 'set [SERVER] tls = auto, unless a proxy before the server does TLS';
    return { check, state: 'limited', found: 'none, nothing is encrypted', mend };
  }
  const files = tls === 'auto' ? ownCertificateFiles(dataDir) : tls;
  if (tls === 'auto' && !existsSync(files.cert))
    return { check, state: 'ok', found: 'none yet, the server makes it on its first start' };
  try {
    const { fingerprint, validToMs } = readCertificate(files, 'procmesh server says how to mend it');
    const found = `${fingerprint} until ${new Date(validToMs).toISOString().slice(0, 10)}`;
    if (validToMs - Date.now() > RENEW_DAYS * DAY_MS) return { check, state: 'ok', found };
    return { check, state: 'limited', found, mend: `renew ${files.cert}, then send the server a SIGHUP` };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { check, state: 'failed', found: error.message };
  }
}

async function server(config: Config, fleet: Promise<FleetState | undefined>): Promise<Finding> {
  const check = 'server';
  const url = new URL(serverAddress(config));
  const pin = ownPin(config);
  try {
    const { status } = await askHealth(url, pin);
    if (status !== 200)
      return { check, state: 'failed', found: `${url.host} answers ${status}`, mend: 'set [SERVER] listen' };
    const secrets = readSharedSecrets(config.dataDir);
    const target = { url: url.href, pin };
    const files = secrets === undefined ? [] : (await compareSecrets(target, secrets, listedClaim(await fleet))).files;
    if (files.length === 0) return { check, state: 'ok', found: `answers at ${url.host}` };
    const found = `${url.host} works with other secrets than ${files.join(', ')} in ${config.dataDir}`;
    return { check, state: 'failed', found, mend: 'restart it: it has read them before they were changed' };
  } catch (error) {
    if (error instanceof UntrustedError) {
      const found = `${url.host} is not trusted: ${error.message}`;
      return { check, state: 'failed', found, mend: 'send the server a SIGHUP if its certificate was renewed' };
    }
    if (error instanceof Problem) return { check, state: 'limited', found: error.message };
    const found = `none answers at ${url.host}`;
    return { check, state: 'limited', found, mend: 'start it: procmesh start, or procmesh server' };
  }
}
