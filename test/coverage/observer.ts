/** What a tool can say of a process, as an amount and not as a rate; absent: it cannot say. */
export interface Amounts {
  cpuSeconds?: number;
  readBytes?: number;
  writeBytes?: number;
  netInBytes?: number;
  netOutBytes?: number;
}
export type Resource = keyof Amounts;

/** What a tool charged to one process in one window. */
export interface Charge extends Amounts {
  pid: number;
  comm: string;
}

/** One of a tool's own sampling windows. */
export interface Window {
  /** Epoch ms. */
  endMs: number;
  charges: readonly Charge[];
}

/** A tool that watches the whole machine from its start to its end. */
export interface Observer {
  readonly windows: readonly Window[];
  stop(): Promise<void>;
}

/** A span of time, epoch ms: windows that ended after `fromMs` and not after `toMs` belong to it. */
export interface Span {
  fromMs: number;
  toMs: number;
}

export type Which = (process: { pid: number; comm: string }) => boolean;

export function windowsIn({ windows }: Pick<Observer, 'windows'>, { fromMs, toMs }: Span): readonly Window[] {
  return windows.filter(({ endMs }) => endMs > fromMs && endMs <= toMs);
}

/** Everything charged to these processes; undefined when the tool never said anything of this resource of any process. */
export function charged(observer: Observer, span: Span, resource: Resource, which: Which): number | undefined {
  const says = observer.windows.some(({ charges }) => charges.some((charge) => charge[resource] !== undefined));
  if (!says) return undefined;
  let sum = 0;
  for (const { charges } of windowsIn(observer, span))
    for (const charge of charges) if (which(charge)) sum += charge[resource] ?? 0;
  return sum;
}

/** The most that any one of these processes is charged in one window. */
export function mostInOneWindow(observer: Observer, span: Span, resource: Resource, which: Which): number {
  const amounts = windowsIn(observer, span).flatMap(({ charges }) =>
    charges.filter(which).map((charge) => charge[resource] ?? 0),
  );
  return Math.max(0, ...amounts);
}
