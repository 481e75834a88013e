import { homedir, userInfo } from 'node:os';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import { SshDeployer } from '../server/deploy/ssh-deployer.ts';
import { VERSION } from './version.ts';

/** What reaches the hosts, by the configuration and by this user's settings of ssh. @throws Problem */
export function createDeployer({ deploy, scriptDir, dataDir, version }: Config, logger: Logger): SshDeployer {
  const { user, port, keyFile, password, node, path } = deploy;
  return new SshDeployer(
    {
      ...{ folder: scriptDir, node, path, dataDir, version: version || VERSION },
      login: { user, port, keyFile, password },
      local: { name: userInfo().username, homeDir: homedir(), agentSocket: process.env.SSH_AUTH_SOCK },
    },
    (host, file) => logger.warn({ host, file }, "first contact: the host's key is taken for its own from now on"),
  );
}
