import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import type { LocalUser } from '../server/deploy/destination.ts';
import { SshDeployer, type SshDeployerOptions } from '../server/deploy/ssh-deployer.ts';
import { VERSION } from './version.ts';

/** What reaches the hosts, by the configuration and by this user's settings of ssh. @throws Problem */
export function createDeployer(config: Config, logger: Logger): SshDeployer {
  return new SshDeployer(deployerOptions(config), (host, file) =>
    logger.warn({ host, file }, "first contact: the host's key is taken for its own from now on"),
  );
}

export function deployerOptions({ deploy, scriptDir, dataDir, version }: Config): SshDeployerOptions {
  const { user, port, keyFile, password, node, path } = deploy;
  return {
    ...{ folder: scriptDir, node, path, version: version || VERSION },
    ...{ dataDir, releaseDir: join(dataDir, 'release') },
    login: { user, port, keyFile, password },
    local: localUser(),
  };
}

/** Whoever runs this program. */
export function localUser(): LocalUser {
  return { name: userInfo().username, homeDir: homedir(), agentSocket: process.env.SSH_AUTH_SOCK };
}
