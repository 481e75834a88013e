import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { REFUSAL_REASONS } from './refusals.ts';

/** What `GET /metrics` tells of the server itself, in Prometheus text. */
export class ServerMetrics {
  readonly registry = new Registry();
  readonly agents = this.#gauge('procmesh_agents', 'Agents that are connected');
  readonly viewers = this.#gauge('procmesh_viewers', 'Viewers that are connected');
  readonly beats = this.#counter('procmesh_beats_total', 'Samples received');
  readonly intervals = this.#counter('procmesh_intervals_total', 'Intervals stored and acknowledged');
  readonly deferred = this.#counter(
    'procmesh_intervals_deferred_total',
    'Intervals that agents keep and send again, as too many waited for the store',
  );
  readonly refusedIntervals = this.#counter(
    'procmesh_intervals_refused_total',
    'Intervals that no store can take; they are gone',
  );
  readonly storeFailures = this.#counter(
    'procmesh_store_failures_total',
    'Writes the store refused; they are tried again',
  );
  readonly refused = new Counter({
    name: 'procmesh_refused_total',
    help: 'Connections refused, by what for',
    labelNames: ['reason'],
    registers: [this.registry],
  });
  readonly badFrames = this.#counter('procmesh_bad_frames_total', 'Frames that ended their connection');
  readonly unknownMessages = this.#counter(
    'procmesh_unknown_messages_total',
    'Messages of a type this version does not know, dropped',
  );
  readonly skippedFrames = this.#counter('procmesh_skipped_frames_total', 'Live frames not sent to a slow reader');

  constructor() {
    // A rate can be told from the first refusal on.
    for (const reason of REFUSAL_REASONS) this.refused.inc({ reason }, 0);
    collectDefaultMetrics({ register: this.registry });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.registry] });
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] });
  }
}
