import { EXACT, type Exchange } from './exchange.ts';
import { charged, type Observer, type Which } from './observer.ts';
import { type Bound, isWithin, question, type Result } from './result.ts';

const NOTHING: Bound = { from: 0, to: 1 };
const DIRECTIONS = ['netInBytes', 'netOutBytes'] as const;

/** Whether `ps --sort` put the sender and the receiver first, whichever of them was on this side. */
export function namedFirst(exchanges: readonly Exchange[]): Result[] {
  return [...Map.groupBy(exchanges, ({ title }) => title)].map(([title, ofOne]) => {
    const misnamed = ofOne.flatMap((exchange) => exchange.misnamed ?? []);
    const measured = 'ps --sort net-out names the sender first, net-in the receiver';
    return question(title, measured, misnamed.length === 0, misnamed.join('; '));
  });
}

/** The processes in the other namespace, of all exchanges: the one that is the farthest off. */
export function farEnds(exchanges: readonly Exchange[]): Result {
  const percents = exchanges.flatMap(({ rig, span, far }) =>
    // What is not a payload of thousands of bytes says nothing in per cent.
    DIRECTIONS.filter((direction) => far[direction] > 100_000).map((direction) => {
      const amount = charged(rig.procmesh, span, direction, ({ pid }) => pid === far.pid);
      return (100 * (amount ?? 0)) / far[direction];
    }),
  );
  const worst = percents.toSorted((a, b) => Math.abs(b - 100) - Math.abs(a - 100))[0];
  return {
    workload: 'all exchanges',
    measured: `the process in the other namespace, farthest of ${percents.length}`,
    truth: '',
    procmesh: worst,
    others: {},
    unit: '%',
    asked: `${EXACT.from}–${EXACT.to} %`,
    met: isWithin(worst, EXACT),
  };
}

/**
 * Bytes charged to who took no part, in % of those that were exchanged, in the exchange where they are the most: first to
 * the process that listens on the same port and to the one that started them all, who are the most easily mistaken, then
 * to any process of the machine. Those may have a traffic of their own, so nothing is asked of them.
 */
export function wrongProcesses(exchanges: readonly Exchange[]): Result[] {
  const line = (measured: string, which: (exchange: Exchange) => Which, bound: Bound | undefined): Result => {
    const procmesh = most(exchanges, ({ rig }) => rig.procmesh, which);
    const sockets = most(exchanges, ({ rig }) => rig.others.sockets, which);
    return {
      workload: 'all exchanges',
      measured,
      truth: '',
      procmesh,
      others: sockets === undefined ? {} : { sockets },
      unit: '%',
      asked: bound === undefined ? '' : `≤ ${bound.to} %`,
      met: bound === undefined ? undefined : isWithin(procmesh, bound) && isWithin(sockets ?? 0, bound),
    };
  };
  return [
    line(
      "bytes charged to who listens on the same port elsewhere, or to the programs' parent",
      ({ bystander }) =>
        ({ pid }) =>
          pid === bystander || pid === process.pid,
      NOTHING,
    ),
    line(
      'bytes charged to all other processes of the machine, their own included',
      ({ rig }) =>
        (other) =>
          !rig.workshop.owns(other),
      undefined,
    ),
  ];
}

function most(
  exchanges: readonly Exchange[],
  of: (exchange: Exchange) => Observer | undefined,
  which: (exchange: Exchange) => Which,
): number | undefined {
  const percents = exchanges.flatMap((exchange) => {
    const observer = of(exchange);
    if (observer === undefined) return [];
    return DIRECTIONS.map((direction) => {
      const amount = charged(observer, exchange.span, direction, which(exchange)) ?? 0;
      return (100 * amount) / (exchange.near[direction] + exchange.far[direction]);
    });
  });
  return percents.length === 0 ? undefined : Math.max(...percents);
}
