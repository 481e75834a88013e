import { existsSync } from 'node:fs';

const VIRTUAL = /^(lo|docker|br-|veth|virbr|ifb|dummy|tun|tap|cni|flannel|cali|bond|team)/;

/**
 * The interfaces whose traffic is the host's: those with hardware behind them, so that bridges, bonds and veth pairs are
 * not counted again. Where none has hardware (inside a container or namespace), all that are not known to be virtual
 * copies of another.
 */
export function hostInterfaces(sysRoot: string, names: readonly string[]): string[] {
  const hardware = names.filter((name) => existsSync(`${sysRoot}/class/net/${name}/device`));
  return hardware.length > 0 ? hardware : names.filter((name) => !VIRTUAL.test(name));
}
