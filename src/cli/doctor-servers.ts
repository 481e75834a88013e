import { lookup } from 'node:dns/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import WebSocket from 'ws';
import type { Finding } from '../agent/abilities.ts';
import type { Config } from '../config.ts';
import { Problem } from '../problem.ts';
import { plainReason } from '../protocol/reconnect.ts';
import { UntrustedError } from '../protocol/secure-socket.ts';
import type { TokenClaim } from '../server/auth.ts';
import { readCertificate } from '../server/certificate.ts';
import { type CertificateFiles, ownCertificateFiles } from '../server/certificate-files.ts';
import type { FleetState } from '../store/fleet-state.ts';
import { askHealth } from './knock.ts';
import { serverName } from './mesh.ts';
import {
  compareSecrets,
  type Difference,
  listedClaim,
  readSharedSecrets,
  type SharedSecrets,
} from './shared-secrets.ts';

/** Of a longer list the others are not tried. */
const MAX_SERVERS = 50;
const LOOKUP_MS = 2_000;

/** What all of them are tried with, as agents and people would. */
interface Terms {
  config: Config;
  pin: string | undefined;
  secrets: SharedSecrets;
  claim: TokenClaim | undefined;
}

/**
 * Whether every other server of `[SERVER] servers` can be reached and has the secrets of this one, one finding for each;
 * and whether this one is among them. Servers that are well note nothing of it.
 */
export async function meshFindings(config: Config, fleet: Promise<FleetState | undefined>): Promise<Finding[]> {
  const { servers, mysql } = config;
  if (servers.length === 0) return [];
  const alone: Finding[] =
    servers.length === 1 || mysql !== undefined
      ? []
      : [
          {
            ...{ check: 'servers', state: 'failed', found: 'there are several, and each has a store of its own' },
            mend: 'set [Monitor] mysql_host to the same MySQL on all of them',
          },
        ];
  try {
    const pin = agentPin(config);
    const secrets = readSharedSecrets(config.dataDir);
    if (secrets === undefined) return [...alone, notCompared(`there are no secrets in ${config.dataDir} yet`, config)];
    const claim = listedClaim(await Promise.race([fleet, delay(LOOKUP_MS, undefined, { ref: false })]));
    const terms = { config, pin, secrets, claim };
    const found = await Promise.all(servers.slice(0, MAX_SERVERS).map((server) => examined(server, terms)));
    const others = found.filter((finding) => finding !== undefined);
    const isListed = others.length < found.length || servers.length > MAX_SERVERS;
    return [...alone, ...(isListed ? [] : [unlisted(config)]), ...others];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return [...alone, notCompared(error.message.replace(/: .*/, ''), config)];
  }
}

/** As agents are told it: where an authority vouches for the certificate, none. @throws Problem when there is none to show. */
function agentPin({ tls, dataDir }: Config): string | undefined {
  if (tls === 'off') return undefined;
  const files = tls === 'auto' ? ownCertificateFiles(dataDir) : tls;
  const { isSelfSigned, fingerprint } = readCertificate(
    files,
    'start this server once, or copy those of the first one',
  );
  return isSelfSigned ? fingerprint : undefined;
}

/** @returns undefined for this server itself. */
async function examined(server: string, terms: Terms): Promise<Finding | undefined> {
  const { config, pin, secrets, claim } = terms;
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || !/^wss?:$/.test(url.protocol))
    return {
      ...{ check: `server ${server}`, state: 'failed', found: 'this is no URL of a server' },
      mend: 'write it as wss://HOST:PORT in [SERVER] servers',
    };
  const check = `server ${url.host}`;
  if (url.protocol === 'ws:' && pin !== undefined) {
    const found = 'agents do not connect to it: they pin a certificate, and ws:// shows none';
    return { check, state: 'failed', found, mend: `write it as wss://${url.host} in [SERVER] servers` };
  }
  if (await isOwnAddress(url, config)) return undefined;
  try {
    const { status, name } = await askHealth(url, pin);
    if (name === serverName(config)) return undefined;
    if (status !== 200 || name === undefined)
      return { check, state: 'failed', found: `what answers is no server of procmesh (${status})`, mend: START };
    const difference = await compareSecrets({ url: url.href, pin }, secrets, claim);
    return { check, ...judged(name, difference, server, terms) };
  } catch (error) {
    if (error instanceof UntrustedError) return { check, ...untrusted(error, server, terms) };
    if (!(error instanceof Error)) throw error;
    const reason = plainReason(error, { url: url.href, readyState: WebSocket.CONNECTING });
    return { check, state: 'failed', found: `cannot be reached: ${reason}`, mend: START };
  }
}

const START = 'start it there (procmesh server), or take it out of [SERVER] servers';

type Judgement = Pick<Finding, 'state' | 'found' | 'mend'>;

function judged(
  name: string,
  { files, unlisted }: Difference,
  server: string,
  { config, pin, claim }: Terms,
): Judgement {
  if (files.length > 0) {
    const found = `${name} has another ${files.join(', another ')} than this machine`;
    return {
      state: 'failed',
      found,
      mend: copies(
        files.map((file) => join(config.dataDir, file)),
        server,
        config,
      ),
    };
  }
  if (unlisted !== undefined) {
    const found = `${name} does not know ${unlisted}, which is listed here`;
    return { state: 'failed', found, mend: 'set [Monitor] mysql_host and mysql_db to the same on all servers' };
  }
  const same = pin === undefined ? 'has the same secrets' : 'has the same certificate and secrets';
  // Without a host nobody has a token that could be wrong.
  const rest = claim === undefined ? ', as far as can be told while no host is listed' : '';
  return { state: 'ok', found: `${name} ${same}${rest}` };
}

/** An authority's certificate is each server's own, a pinned one is that of all of them. */
function untrusted({ message }: UntrustedError, server: string, { config, pin }: Terms): Judgement {
  const [what = message, mend] = message.split(': ');
  if (pin === undefined) return { state: 'failed', found: what, ...(mend !== undefined && { mend }) };
  const { cert, key } = config.tls === 'auto' ? ownCertificateFiles(config.dataDir) : (config.tls as CertificateFiles);
  return { state: 'failed', found: what, mend: copies([cert, key], server, config) };
}

/** The first server of the list is the one whose files count. */
function copies(files: readonly string[], server: string, { servers }: Config): string {
  const [first] = servers;
  const to = server === first ? 'this machine, then restart this server' : `${server}, then restart that server`;
  return `copy ${files.join(' and ')} of ${first} to ${to}`;
}

function notCompared(found: string, { servers, dataDir }: Config): Finding {
  const mend = `start this server, or first copy agents.secret, viewer.token, operator.token, server.crt and server.key in ${dataDir} of ${servers[0]}`;
  return { check: 'servers', state: 'limited', found: `the others are not tried: ${found}`, mend };
}

function unlisted({ tls, listen: { port } }: Config): Finding {
  const url = `${tls === 'off' ? 'ws' : 'wss'}://${hostname()}:${port}`;
  return {
    ...{
      check: 'servers',
      state: 'limited',
      found: 'this server is not in [SERVER] servers: agents are not told of it',
    },
    mend: `add it there on every server, as ${url}`,
  };
}

/** By an address of this machine and the port that its server listens on; behind a proxy its name tells. */
async function isOwnAddress({ hostname: name, port, protocol }: URL, { listen }: Config): Promise<boolean> {
  if (Number(port || (protocol === 'ws:' ? 80 : 443)) !== listen.port) return false;
  const host = name.replace(/^\[|\]$/g, '');
  const found = lookup(host, { all: true }).catch(() => []);
  const addresses = await Promise.race([found, delay(LOOKUP_MS, [], { ref: false })]);
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return addresses.some(({ address }) => own.some((other) => other.address === address));
}
