import type { HostUsage } from '../src/protocol/row.ts';

/** A host's figures, as far as they are known. */
export type Usage = Partial<HostUsage>;

/** What a host uses of what it has. Shares are 0–1; network has no known ceiling and stays bytes per second. */
export interface Shares {
  readonly cpu: number | undefined;
  readonly mem: number | undefined;
  readonly disk: number | undefined;
  readonly netBytesPerSec: number | undefined;
}

export function sharesOf(usage: Usage): Shares {
  return {
    cpu: ratio(usage.cpuPercent, usage.cores === undefined ? undefined : usage.cores * 100),
    mem: ratio(usage.memUsedBytes, usage.memTotalBytes),
    disk: ratio(usage.diskUtilPercent, 100),
    netBytesPerSec: sum(usage.netInBytesPerSec, usage.netOutBytesPerSec),
  };
}

/** Adds what is known; nothing known stays not known. */
export function sum(...figures: readonly (number | undefined)[]): number | undefined {
  return figures.reduce((total, figure) => (figure === undefined ? total : (total ?? 0) + figure), undefined);
}

function ratio(part: number | undefined, whole: number | undefined): number | undefined {
  return part === undefined || whole === undefined || whole === 0 ? undefined : part / whole;
}
