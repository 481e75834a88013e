import { existsSync } from 'node:fs';
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import type { Finding } from '../agent/abilities.ts';
import type { Config } from '../config.ts';
import { Problem } from '../problem.ts';
import { SecureDialler, UntrustedError } from '../protocol/secure-socket.ts';
import { readCertificate } from '../server/certificate.ts';
import { ownCertificateFiles } from '../server/certificate-files.ts';
import { serverAddress } from './options.ts';
import { ownPin } from './pin.ts';

const SERVER_TIMEOUT_MS = 2_000;
const DAY_MS = 86_400_000;
const RENEW_DAYS = 30;

/** The certificate of this machine's server, and whether the server answers with it. */
export async function serverFindings(config: Config): Promise<Finding[]> {
  return [certificate(config), await server(config)];
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

async function server(config: Config): Promise<Finding> {
  const check = 'server';
  const url = new URL(serverAddress(config));
  try {
    const status = await health(url, ownPin(config));
    if (status === 200) return { check, state: 'ok', found: `answers at ${url.host}` };
    return { check, state: 'failed', found: `${url.host} answers ${status}`, mend: 'set [SERVER] listen' };
  } catch (error) {
    if (error instanceof UntrustedError) {
      const found = `${url.host} is not trusted: ${error.message}`;
      return { check, state: 'failed', found, mend: 'send the server a SIGHUP if its certificate was renewed' };
    }
    const found = `none answers at ${url.host}`;
    return { check, state: 'limited', found, mend: 'start it: procmesh start, or procmesh server' };
  }
}

/** HTTP status of `GET /healthz`. @throws UntrustedError, or what the network says. */
async function health({ protocol, hostname, port }: URL, pin: string | undefined): Promise<number | undefined> {
  const signal = AbortSignal.timeout(SERVER_TIMEOUT_MS);
  const host = hostname.replace(/^\[|\]$/g, '');
  const target = { host, port: Number(port), path: '/healthz', signal };
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const request =
    protocol === 'ws:'
      ? httpGet(target)
      : httpsGet({
          ...target,
          createConnection: (_, onCreate) => {
            const dial = { host, port: target.port, pin, timeoutMs: SERVER_TIMEOUT_MS, signal };
            new SecureDialler().dial(dial, (error, socket) => onCreate(error, socket as never));
            return undefined;
          },
        });
  request.on('error', reject).on('response', (response) => {
    response.resume();
    resolve(response.statusCode);
  });
  return promise;
}
