import { hostname } from 'node:os';
import type { AlertAccess } from '../alert-channel/access.ts';
import type { Config } from '../config.ts';
import { DEFAULT_PORT } from '../config-keys.ts';
import { agentToken, type Secrets, tokenFile } from '../server/auth.ts';
import type { Certificate } from '../server/certificate.ts';
import type { Deployer } from '../server/deploy/deployer.ts';
import type { Duty } from '../server/duties.ts';
import type { HostList } from '../server/host-list.ts';
import { Mesh } from '../server/mesh.ts';
import { Provisioner } from '../server/provision.ts';
import type { ReleaseKey } from '../server/release/release-key.ts';
import type { Releasing } from '../server/rollout/releasing.ts';
import { replaceSecretFile } from '../server/secret-file.ts';
import type { Server } from '../server/server.ts';
import type { FleetStore } from '../store/fleet.ts';

export interface MeshParts {
  fleet: FleetStore;
  hosts: HostList;
  server: Server;
  deployer: Deployer;
  secrets: Secrets;
  releaseKey: ReleaseKey;
  certificate: Certificate | undefined;
  releasing: Releasing;
  /** What one server does for all of them, beside the lifecycle of hosts and of releases. */
  duties: readonly Duty[];
  /** An agent of this machine is started beside the server. */
  hasAgent: boolean;
  onTrouble: (error: Error) => void;
}

/** How servers and viewers name the server of this configuration: two on one machine differ. */
export function serverName({ listen: { port } }: Pick<Config, 'listen'>): string {
  return port === DEFAULT_PORT ? hostname() : `${hostname()}:${port}`;
}

/** A server's part in the mesh, by the configuration. */
export function createMesh(config: Config, parts: MeshParts): Mesh {
  const { secrets, certificate, releaseKey, hasAgent } = parts;
  const { listen, servers, dataDir, deploy } = config;
  const tokenOf = (host: string, generation: number): string => agentToken(secrets.agents, { host, generation });
  const scheme = certificate === undefined ? 'ws' : 'wss';
  return new Mesh({
    ...parts,
    name: serverName(config),
    url: `${scheme}://${hostname()}:${listen.port}`,
    provisioner: new Provisioner({
      agentToken: tokenOf,
      servers,
      own: { scheme, listenHost: listen.host, port: listen.port },
      pin: certificate?.isSelfSigned ? certificate.fingerprint : undefined,
      releaseKey: releaseKey.publicKey,
      alerts: alertAccess(config),
    }),
    agentToken: tokenOf,
    own: {
      host: hostname(),
      hasAgent,
      replaceToken: (token) => replaceSecretFile(tokenFile(dataDir, 'agent'), `${token}\n`),
    },
    parallel: deploy.parallel,
  });
}

function alertAccess({ mysql, alerts: { wecomUrl, webhookUrl } }: Config): AlertAccess | undefined {
  if (mysql?.alertAccount === undefined) return undefined;
  const { host, port, database, alertAccount } = mysql;
  return { host, port, database, ...alertAccount, wecomUrl, webhookUrl };
}
