/** What a server counts of itself, for Prometheus. */
import type { DescMethod } from '@bufbuild/protobuf';
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';
import type { SharedFigures } from '../counters/open.ts';
import { type AppError, Code, codeName } from '../domain/errors.ts';
import type { CallHead, Protocol } from './call.ts';
import { DurationHistogram, type Durations } from './durations.ts';
import { isStream } from './method-contract.ts';
import { isOverload } from './shed.ts';

/** Seconds; from what a look-up in memory takes to the longest deadline that makes sense. */
const DURATION_BUCKETS = [
  ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
];
/** Seconds; a node is to hear of another's change within a quarter of one. */
const LAG_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10];
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** Hears of every call. */
export interface Observer {
  /** A call has come; each ends. */
  begun(head: CallHead): void;
  /** A call has ended, with OK or an error, so many milliseconds after it began. */
  ended(head: CallHead, error: AppError | undefined, ms: number): void;
}

/** How often a cache had what was asked for, and how often not. */
export interface Lookups {
  hits: number;
  misses: number;
}

/** Figures that others keep, read when somebody looks. */
export interface Sources {
  /** The program's version. */
  readonly version: string;
  readonly caches: Readonly<Record<string, Readonly<Lookups>>>;
  readonly connections: () => number;
  readonly bufferedBytes: () => number;
  /** Callers whose calls of a method are counted, by what they showed. */
  readonly callers: Readonly<Record<string, () => number>>;
  /** How this process counts together with others; undefined where it does not. */
  readonly sharedCounters: SharedFigures | undefined;
}

/** What is counted of one method over one protocol; Prometheus hears of it when it asks. */
interface Series {
  /** Seconds; undefined for streams, which are open for as long as their callers like. */
  readonly durations: Durations | undefined;
  /** Calls that ended so, by code. */
  readonly byCode: Map<Code, number>;
}

/** Never what a caller made up: its kinds are as many as the contract's methods. */
function labelOf(method: DescMethod | undefined): string {
  return method === undefined ? 'none' : `${method.parent.name}/${method.name}`;
}

export class Metrics implements Observer {
  readonly #registry = new Registry();
  readonly #limited = this.#counter(
    'requests_limited_total',
    'Calls over a limit of their caller.',
    ['method'],
  );
  readonly #shed = this.#counter('requests_shed_total', 'Calls refused because of overload.', [
    'method',
  ]);
  readonly #durations = new DurationHistogram({
    name: 'propusk_request_duration_seconds',
    help: 'From the head of a unary call to its answer.',
    labelNames: ['method', 'protocol'],
    buckets: DURATION_BUCKETS,
    registers: [this.#registry],
  });
  readonly #streams = this.#gauge('open_streams', 'Streams that are open.', ['method']);
  readonly #batches = new Histogram({
    name: 'propusk_commit_batch_size',
    help: 'Writes that shared one commit.',
    buckets: BATCH_BUCKETS,
    registers: [this.#registry],
  });
  readonly #lag = new Histogram({
    name: 'propusk_change_lag_seconds',
    help: 'From a change by another node to when this one heard of it.',
    buckets: LAG_BUCKETS,
    registers: [this.#registry],
  });
  readonly #series = new Map<DescMethod | undefined, Map<Protocol, Series>>();

  constructor() {
    const names = ['method', 'protocol', 'code'];
    this.#counter('requests_total', 'Calls that have ended.', names, (counter) => {
      counter.reset();
      for (const [method, protocol, { byCode }] of this.#allSeries()) {
        for (const [code, count] of byCode) {
          counter.inc({ method: labelOf(method), protocol, code: codeName(code) }, count);
        }
      }
    });
  }

  /** Counts the writes of one commit. */
  readonly committed = (writes: number): void => this.#batches.observe(writes);

  /** Counts a change by another node, so many milliseconds old. */
  readonly heard = (lagMs: number): void => this.#lag.observe(lagMs / 1000);

  /** Shows what others keep. */
  show(sources: Sources): void {
    const { version, caches, connections, bufferedBytes, callers, sharedCounters } = sources;
    this.#gauge('build_info', 'The version that runs.', ['version']).set({ version }, 1);
    this.#gauge('open_connections', 'TCP connections that are open.', [], (gauge) =>
      gauge.set(connections()),
    );
    this.#gauge('buffered_request_bytes', 'Bytes of requests in memory.', [], (gauge) =>
      gauge.set(bufferedBytes()),
    );
    this.#gauge('callers', 'Callers of a method whose calls are counted.', ['kind'], (gauge) => {
      for (const [kind, size] of Object.entries(callers)) gauge.set({ kind }, size());
    });
    if (sharedCounters !== undefined) this.#showShared(sharedCounters);
    const names = ['cache', 'result'];
    this.#counter('cache_lookups_total', 'Look-ups in a cache.', names, (counter) => {
      counter.reset();
      for (const [cache, { hits, misses }] of Object.entries(caches)) {
        counter.inc({ cache, result: 'hit' }, hits);
        counter.inc({ cache, result: 'miss' }, misses);
      }
    });
  }

  begun({ method }: CallHead): void {
    if (isStream(method)) this.#streams.inc({ method: labelOf(method) });
  }

  ended({ method, protocol }: CallHead, error: AppError | undefined, ms: number): void {
    const { durations, byCode } = this.#seriesOf(method, protocol);
    const code = error?.code ?? Code.OK;
    byCode.set(code, (byCode.get(code) ?? 0) + 1);
    if (isStream(method)) this.#streams.dec({ method: labelOf(method) });
    else durations?.add(ms / 1000);
    if (error === undefined) return;
    if (error.reason === 'RATE_LIMITED') this.#limited.inc({ method: labelOf(method) });
    if (isOverload(error)) this.#shed.inc({ method: labelOf(method) });
  }

  /** The figures as Prometheus reads them, and what that form is called. */
  async page(): Promise<{ contentType: string; text: string }> {
    // Loaded when first asked for: with it comes a library for traces, which nothing here makes.
    const { processFigures } = await import('./process-figures.ts');
    const registry = Registry.merge([this.#registry, processFigures]);
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  #showShared(shared: SharedFigures): void {
    this.#gauge('counters_shared', 'Whether limits are shared with other nodes.', [], (gauge) =>
      gauge.set(shared.isShared ? 1 : 0),
    );
    this.#gauge('counters_nodes', 'Nodes that share limits, as last known.', [], (gauge) =>
      gauge.set(shared.nodes),
    );
    const help = 'Calls that were limited without the other nodes.';
    this.#counter('counters_alone_total', help, [], (counter) => {
      counter.reset();
      counter.inc(shared.decidedAlone);
    });
  }

  #seriesOf(method: DescMethod | undefined, protocol: Protocol): Series {
    const known = this.#series.get(method)?.get(protocol);
    if (known !== undefined) return known;
    const labels = { method: labelOf(method), protocol };
    const durations = isStream(method) ? undefined : this.#durations.of(labels);
    const series: Series = { durations, byCode: new Map() };
    const ofMethod = this.#series.get(method) ?? new Map<Protocol, Series>();
    this.#series.set(method, ofMethod.set(protocol, series));
    return series;
  }

  *#allSeries(): Generator<[method: DescMethod | undefined, Protocol, Series]> {
    for (const [method, byProtocol] of this.#series) {
      for (const [protocol, series] of byProtocol) yield [method, protocol, series];
    }
  }

  #counter(
    name: string,
    help: string,
    labelNames: readonly string[],
    read?: (counter: Counter) => void,
  ): Counter {
    const collect = read && (() => read(counter));
    const counter: Counter = new Counter({
      ...this.#common(name, help, labelNames),
      ...(collect && { collect }),
    });
    return counter;
  }

  #gauge(
    name: string,
    help: string,
    labelNames: readonly string[],
    read?: (gauge: Gauge) => void,
  ): Gauge {
    const collect = read && (() => read(gauge));
    const gauge: Gauge = new Gauge({
      ...this.#common(name, help, labelNames),
      ...(collect && { collect }),
    });
    return gauge;
  }

  #common(name: string, help: string, labelNames: readonly string[]) {
    return {
      name: `propusk_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
    };
  }
}
