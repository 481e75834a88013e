import { homedir, userInfo } from 'node:os';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import type { LocalUser } from '../server/deploy/destination.ts';
import { SshDeployer, type SshDeployerOptions } from '../server/deploy/ssh-deployer.ts';
import type { WantedManifest } from '../server/release/release-source.ts';
import type { OpenedReleases } from './releases.ts';

export interface DeployerParts {
  logger: Logger;
  releases: OpenedReleases;
  /** What hosts that are new are to run. */
  releaseForNewHosts: () => Promise<Pick<WantedManifest, 'hash' | 'serial' | 'version'>>;
}

/** What reaches the hosts, by the configuration and by this user's settings of ssh. @throws Problem */
export function createDeployer(config: Config, parts: DeployerParts): SshDeployer {
  const { logger, releases, releaseForNewHosts } = parts;
  return new SshDeployer(
    {
      ...deployerOptions(config),
      goods: async (architecture, hasOwnNode) =>
        (await releases.get()).goods({ ...(await releaseForNewHosts()), architecture, hasOwnNode }),
    },
    (host, file) => logger.warn({ host, file }, "first contact: the host's key is taken for its own from now on"),
  );
}

export function deployerOptions({ deploy, scriptDir, dataDir }: Config): Omit<SshDeployerOptions, 'goods'> {
  const { user, port, keyFile, password, node, path } = deploy;
  return {
    ...{ folder: scriptDir, node, path, dataDir },
    login: { user, port, keyFile, password },
    local: localUser(),
  };
}

/** Whoever runs this program. */
export function localUser(): LocalUser {
  return { name: userInfo().username, homeDir: homedir(), agentSocket: process.env.SSH_AUTH_SOCK };
}
