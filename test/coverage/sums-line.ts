import type { FlowName } from '../../src/protocol/metric.ts';
import type { ProcmeshObserver } from './procmesh-observer.ts';
import type { Result } from './result.ts';
import { worstDeviation } from './sums.ts';

const UNITS: { readonly [name in FlowName]: string } = {
  cpuPercent: '% CPU',
  readBytesPerSec: 'B/s read',
  writeBytesPerSec: 'B/s written',
  netInBytesPerSec: 'B/s in',
  netOutBytesPerSec: 'B/s out',
};

/** Whether rows and unattributed came to the host's figure in every sample of the run: the one that is off the most. */
export function sumsLine(procmesh: ProcmeshObserver, sockets: ProcmeshObserver | undefined): Result {
  const own = worstOf(procmesh);
  const other = sockets === undefined ? undefined : worstOf(sockets);
  return {
    workload: `all, ${procmesh.windows.length} samples`,
    measured: 'Σ rows + unattributed − host, farthest off of any resource and sample',
    truth: '0',
    procmesh: own.text,
    others: other === undefined ? {} : { sockets: other.text },
    unit: '',
    asked: 'what rounding comes to',
    met: own.isRounding && (other?.isRounding ?? true),
  };
}

function worstOf({ windows }: ProcmeshObserver): { text: string; isRounding: boolean } {
  const { name, off, rounding } = worstDeviation(windows.map(({ deviations }) => deviations));
  const decimals = name === 'cpuPercent' ? 3 : 0;
  return {
    text: `${off.toFixed(decimals)} of ± ${rounding.toFixed(decimals)} ${UNITS[name]}`,
    isRounding: Math.abs(off) <= rounding,
  };
}
