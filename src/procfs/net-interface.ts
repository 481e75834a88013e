import { existsSync, readFileSync } from 'node:fs';

const VIRTUAL = /^(lo|docker|br-|veth|virbr|ifb|dummy|tun|tap|cni|flannel|cali|bond|team)/;

/**
 * The interfaces whose traffic is the host's: those with hardware behind them, so that bridges, bonds and veth pairs are
 * not counted again. Where none has hardware (inside a container or namespace), all that are not known to be virtual
 * copies of another; and where those are all there is, all but the loopback.
 */
export function hostInterfaces(sysRoot: string, names: readonly string[]): string[] {
  const hardware = names.filter((name) => existsSync(`${sysRoot}/class/net/${name}/device`));
  if (hardware.length > 0) return hardware;
  const originals = names.filter((name) => !VIRTUAL.test(name));
  return originals.length > 0 ? originals : names.filter((name) => name !== 'lo');
}

/** Bits per second that an interface can do, of each direction; undefined where it does not say (virtual, link down). */
export function interfaceSpeed(sysRoot: string, name: string): number | undefined {
  try {
    const megabits = Number(readFileSync(`${sysRoot}/class/net/${name}/speed`, 'utf8'));
    return megabits > 0 ? megabits * 1e6 : undefined;
  } catch {
    // EINVAL while the link is down, ENOENT of interfaces of other kinds.
    return undefined;
  }
}
