import type { MetricName } from '../protocol/metric.ts';
import type { HostUsage } from '../protocol/row.ts';

/** Decimals of a percentage and of bytes that still matter; more would only make frames longer. */
export function roundFigure(name: MetricName, value: number): number {
  return name === 'cpuPercent' ? Math.round(value * 1000) / 1000 : Math.round(value);
}

/** The same of a host's figures, which keep their names on the wire and in intervals. */
export function roundHostFigure(name: string, value: number): number {
  return /Bytes/.test(name) ? Math.round(value) : Math.round(value * 1000) / 1000;
}

/** A host's figures, rounded for the wire. */
export function roundUsage(host: HostUsage): HostUsage {
  const { unattributed, ...own } = host;
  return { ...rounded(own), unattributed: rounded(unattributed) };
}

function rounded<Figures extends { [name: string]: number }>(figures: Figures): Figures {
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [name, roundHostFigure(name, value)]),
  ) as Figures;
}
