import { accessSync, constants } from 'node:fs';
import { command, type Installation } from './installation.ts';

/** The pid of the launcher that this process was started by, while it lives. */
export function launcherPid(): number | undefined {
  const pid = Number(process.env.PROCMESH_LAUNCHER);
  return pid === process.ppid ? pid : undefined;
}

/**
 * Replaces this process by the agent that the link names now: the pid stays, so nobody has to be told. Everything this
 * process has open is closed by the kernel, as Node.js opens all with O_CLOEXEC.
 * @throws when what is to be run is not there: a failure of the call itself would end the process without a word.
 */
export function restart(installation: Installation): never {
  const { node, args, agent } = command(installation, installation.current);
  accessSync(node, constants.X_OK);
  accessSync(agent, constants.R_OK);
  const { execve } = process;
  if (execve === undefined) throw new Error(`${process.platform} has no execve`);
  return execve(node, [node, ...args], process.env);
}
