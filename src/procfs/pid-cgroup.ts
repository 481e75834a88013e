/** Where a process belongs, as far as its control group tells. */
export interface CgroupPlace {
  /** The innermost systemd service: `mariadb.service`. */
  unit?: string;
  /** Short id or name of the innermost container. */
  container?: string;
}

/** `docker-3f2a….scope`, `/docker/3f2a…`, `cri-containerd-…`, `libpod-…`, `crio-…`: 64 hex digits whatever the engine. */
const CONTAINER_ID = /(?:^|[-/:])([0-9a-f]{64})(?:\.scope)?(?=\/|$)/g;
/** `/lxc/web1`, `/lxc.payload.web1`; `/lxc.monitor.web1` watches it from outside. */
const LXC_NAME = /\/lxc(?:\.payload)?[./](?!monitor[./])([^/]+)/;

/**
 * Parses /proc/[pid]/cgroup, cgroups(7): `0::/system.slice/mariadb.service` or, under version 1,
 * `1:name=systemd:/system.slice/…`, among controllers that may name the container. `user@1000.service` is a login, not
 * a service; the services below it are.
 */
export function parseCgroup(text: string): CgroupPlace {
  const place: CgroupPlace = {};
  for (const line of text.split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const id = [...path.matchAll(CONTAINER_ID)].at(-1)?.[1];
    const lxc = LXC_NAME.exec(path)?.[1];
    if (id !== undefined) place.container = id.slice(0, 12);
    else if (lxc !== undefined) place.container ??= lxc;
    if (controllers !== '' && controllers !== 'name=systemd') continue;
    const unit = path.split('/').findLast((part) => part.endsWith('.service') && !part.startsWith('user@'));
    if (unit !== undefined) place.unit = unescapeUnit(unit);
  }
  return place;
}

/** systemd writes `\x2d` for a dash within a name. */
function unescapeUnit(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
