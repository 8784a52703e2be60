/**
 * Our listener, pipeline and codecs without the product's own services, for suites that bring theirs:
 * every limit has its default but that of the lag, since suites keep all of the machine busy.
 */
import pino from 'pino';
import { systemClock, systemRandom } from '../../src/domain/clock.ts';
import type { Registration } from '../../src/pipeline/call.ts';
import { deadlinesOf } from '../../src/pipeline/deadline.ts';
import { Faults } from '../../src/pipeline/faults.ts';
import { Pipeline } from '../../src/pipeline/pipeline.ts';
import { RequestMemory } from '../../src/pipeline/request-memory.ts';
import { Shed } from '../../src/pipeline/shed.ts';
import { SETTINGS } from '../../src/settings.ts';
import { Dispatch } from '../../src/transport/dispatch.ts';
import type { HttpExchange } from '../../src/transport/http.ts';
import { Listener, type TlsPair } from '../../src/transport/listener.ts';
import type { PlainRoutes } from '../../src/transport/plain.ts';

/** Every limit, by its name among the settings. */
// biome-ignore lint/suspicious/noExplicitAny: each of them is there, and a number
export function defaultLimits(): any {
  const limits = Object.entries(SETTINGS).flatMap(([name, row]) =>
    'group' in row && 'fallback' in row ? [[name, Number(row.fallback)]] : [],
  );
  return { ...Object.fromEntries(limits), lagMsMax: Number.POSITIVE_INFINITY };
}

export interface TransportAlone {
  readonly registrations?: readonly Registration[];
  readonly plain?: PlainRoutes;
  readonly tls?: TlsPair | undefined;
  readonly bodyBytesMax?: number;
  /** Hands a request on; a suite may have its own ideas of when and how. */
  readonly hand?: (exchange: HttpExchange, dispatch: Dispatch) => void;
}

/** `LOG_LEVEL` in the environment has it log to standard error. */
export function transportAlone(options: TransportAlone): Listener {
  const { registrations = [], plain = new Map(), tls, bodyBytesMax } = options;
  const { hand = (exchange, dispatch) => dispatch.handle(exchange) } = options;
  const limits = defaultLimits();
  limits.memory = new RequestMemory(limits.bufferedBytesMax);
  if (bodyBytesMax !== undefined) limits.bodyBytesMax = bodyBytesMax;
  // The suites stream what they call alone, and nobody shows who calls.
  limits.streamBodyBytesMax = limits.bodyBytesMax;
  limits.anonymousStreamsMax = limits.streamsMax;
  limits.anonymousStreamsPerAddressMax = limits.streamsMax;
  const log = pino({ level: process.env.LOG_LEVEL ?? 'silent' }, pino.destination(2));
  const pipeline = new Pipeline({
    registrations,
    log,
    clock: systemClock,
    random: systemRandom,
    deadlineMsMax: deadlinesOf([]),
    faults: new Faults([], Math.random),
    admit: (_call, _method, read) => read(),
    shed: new Shed({ ...limits, clock: systemClock, log, first: [], never: [] }),
  });
  const services = registrations.map(({ service }) => service);
  const dispatch = new Dispatch({ pipeline, services, plain, limits, corsOrigins: [] });
  return new Listener({
    tls,
    limits,
    handle: (exchange) => hand(exchange, dispatch),
    refuse: (exchange, error) => dispatch.refuse(exchange, error),
  });
}
