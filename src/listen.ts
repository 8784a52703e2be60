/** The listeners of a server: what is on which port, and how they open and end. */
import type { DescService } from '@bufbuild/protobuf';
import { type Config, ConfigError } from './config.ts';
import {
  CONTRACT,
  type Contract,
  readDeadlines,
  readFaults,
  readShedFirst,
  SHED_FIRST,
} from './contract.ts';
import type { Clock, Random } from './domain/clock.ts';
import { TrustedProxies } from './domain/proxies.ts';
import { followTls, type TlsFiles } from './ops/certificate.ts';
import { isOffered, type Registration } from './pipeline/call.ts';
import { deadlinesOf } from './pipeline/deadline.ts';
import { Faults } from './pipeline/faults.ts';
import type { Log } from './pipeline/log.ts';
import type { Metrics } from './pipeline/metrics.ts';
import { Pipeline } from './pipeline/pipeline.ts';
import { RequestMemory } from './pipeline/request-memory.ts';
import { Shed } from './pipeline/shed.ts';
import type { Store } from './store/store.ts';
import { Dispatch } from './transport/dispatch.ts';
import { ForwardAuth } from './transport/forward-auth.ts';
import { Health } from './transport/health.ts';
import { Listener } from './transport/listener.ts';
import { contractPages, healthPages, metricsPages, type PlainRoutes } from './transport/plain.ts';
import { reflection } from './transport/reflection.ts';

export interface ListenParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** From 0 up to 1; draws the faults. */
  readonly draw: () => number;
  readonly store: Store;
  readonly contract: Contract;
  readonly tls: TlsFiles | undefined;
  readonly metrics: Metrics;
  /** The program's own. */
  readonly version: string;
}

export interface Ports {
  /** The port that connections are taken on. */
  readonly port: number;
  /** The port that operators look at; undefined in dev, which has all on one. */
  readonly internalPort: number | undefined;
  /** Lets calls in flight finish, then closes everything. */
  stop(): Promise<void>;
}

/** What is called on a port, and which of it the documents tell of. */
interface Services {
  readonly called: readonly Registration[];
  readonly documented: readonly DescService[];
}

/**
 * Opens the ports; calls are taken when this resolves.
 * @throws ConfigError when an address cannot be listened on
 */
export async function listen(config: Config, parts: ListenParts): Promise<Ports> {
  const { store, contract, tls, metrics } = parts;
  const isDev = config.mode === 'dev';
  const health = new Health(offered(contract).map(({ service }) => service.typeName));
  const services = servicesOf(config, contract, health);
  const memory = new RequestMemory(config.bufferedBytesMax, config.bufferedBytesPerAddressMax);
  // One for all ports, so that what is refused for the sake of the whole counts the whole.
  const shed = shedOf(config, parts, memory, health);
  const registrations = [services.public.called, services.internal.called, contract.rules.flat()];
  const pipelines = registrations.map((called) => pipelineOf(config, parts, called, shed));
  const [pipeline, internalPipeline, rulesPipeline] = pipelines as [Pipeline, Pipeline, Pipeline];
  let isServing = false;
  const healthy = healthPages({ isServing: () => isServing, ping: () => store.ping() });
  const measured = new Map([...healthy, ...metricsPages(() => metrics.page())]);
  const limits = { ...config, memory };
  const proxies = new TrustedProxies(config.trustedProxies);
  const rules = contract.rules.map(descriptors);
  const forwardAuth = new ForwardAuth({ pipeline: rulesPipeline, rules, proxies });
  const listener = listenerOf(limits, tls, {
    pipeline,
    services: descriptors(services.public.called),
    plain: new Map([...(isDev ? measured : healthy), ...toldOf(services.public, parts, isDev)]),
    limits,
    corsOrigins: config.corsOrigins,
    proxies,
    ...(isDev && { forwardAuth }),
  });
  metrics.show({
    ...contract.sources,
    version: parts.version,
    connections: () => listener.connections,
    bufferedBytes: () => memory.bytes,
  });
  // Nothing of the contract is there, nor what needs one: its certificate, its origins.
  const internal = isDev
    ? undefined
    : listenerOf(limits, undefined, {
        pipeline: internalPipeline,
        services: descriptors(services.internal.called),
        plain: new Map([...measured, ...toldOf(services.internal, parts, false)]),
        limits,
        corsOrigins: [],
        proxies,
        forwardAuth,
      });
  const internalPort = await (internal &&
    open(internal, '--internal-listen', config.internalListen));
  const port = await open(listener, '--listen', config.listen).catch(async (error) => {
    await internal?.closed(0);
    throw error;
  });
  isServing = true;
  health.setServing(true);
  const unfollow = tls && followNewTls(tls, listener, parts.log);
  const stop = async () => {
    unfollow?.();
    isServing = false;
    health.setServing(false);
    // Those who watch the health hear of it before their streams end.
    await new Promise(setImmediate);
    for (const each of pipelines) each.drain();
    const late = sleep(config.drainNoticeMs + config.drainMsMax);
    const end = async (one: Listener, own: readonly Pipeline[]) => {
      await one.drain();
      await Promise.race([Promise.all(own.map((each) => each.idle())), late]);
      await one.closed(config.drainNoticeMs);
    };
    await end(listener, isDev ? pipelines : [pipeline]);
    // Last, so that the figures of the drain can be read. Backends that ask there lose no call either.
    if (internal !== undefined) await end(internal, [internalPipeline, rulesPipeline]);
    await contract.close();
    await store.close();
  };
  return { port, internalPort, stop };
}

function descriptors(registrations: readonly Registration[]): DescService[] {
  return registrations.map(({ service }) => service);
}

function offered({ registrations }: Contract): Registration[] {
  return registrations.filter(isOffered);
}

/** What is called on each port. In dev, which has one, all of it is public. */
function servicesOf(
  config: Config,
  contract: Contract,
  health: Health,
): { public: Services; internal: Services } {
  // What exists for trials alone is for operators, where there is a public to keep it from.
  const operators = [...contract.simulation, ...contract.administration, ...contract.access];
  const [outside, inside] = config.mode === 'dev' ? [operators, []] : [[], operators];
  const called = [...contract.registrations, ...outside, health.registration];
  const documented = [...CONTRACT, ...descriptors(outside)];
  const reflected = (registrations: readonly Registration[]) =>
    config.reflection
      ? [...registrations, ...reflection(descriptors(registrations))]
      : registrations;
  return {
    public: { called: reflected(called), documented },
    internal: { called: reflected(inside), documented: descriptors(inside) },
  };
}

/** The pages that tell of the services of a port. */
function toldOf({ documented }: Services, { version }: ListenParts, hasDocs: boolean): PlainRoutes {
  return contractPages({ services: documented, info: { title: 'Propusk', version }, hasDocs });
}

function shedOf(config: Config, parts: ListenParts, memory: RequestMemory, health: Health): Shed {
  const first = readShedFirst(config.shedFirst).good;
  // Who can end an overload must get through; in dev the public could call there as well.
  const inside = config.mode === 'dev' ? [] : parts.contract.administration;
  return new Shed({
    ...config,
    ...parts,
    memory,
    first: first.length === 0 ? SHED_FIRST : first,
    never: descriptors([health.registration, ...inside]),
  });
}

function pipelineOf(
  config: Config,
  parts: ListenParts,
  registrations: readonly Registration[],
  shed: Shed,
): Pipeline {
  return new Pipeline({
    ...parts,
    registrations,
    deadlineMsMax: deadlinesOf(readDeadlines(config.deadlineMsMax).good),
    faults: new Faults(readFaults(config.faults).good, parts.draw),
    admit: parts.contract.admit,
    observer: parts.metrics,
    shed,
  });
}

function listenerOf(
  limits: Config,
  tls: TlsFiles | undefined,
  options: ConstructorParameters<typeof Dispatch>[0],
): Listener {
  const dispatch = new Dispatch(options);
  return new Listener({
    tls,
    limits,
    proxies: options.proxies,
    handle: (exchange) => dispatch.handle(exchange),
    refuse: (exchange, error) => dispatch.refuse(exchange, error),
  });
}

/** Resolves with the port when connections are taken. */
function open(listener: Listener, flag: string, { host, port }: Config['listen']): Promise<number> {
  return listener.listen(host, port).catch((error) => {
    throw new ConfigError([`${flag} ${host}:${port}: ${listenFault(error)}`]);
  });
}

/** Certificates are renewed while the server runs. */
function followNewTls(tls: TlsFiles, listener: Listener, log: Log): () => void {
  const use = (files: TlsFiles) => {
    listener.setTls(files);
    log.info({ file: files.certFile }, 'new TLS certificate');
  };
  return followTls(tls, use, (error) =>
    log.error(`kept the old TLS certificate: ${error.message}`),
  );
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function listenFault(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'the port is taken; stop what uses it, or choose another';
  if (error.code === 'EACCES') return 'this port needs more rights; choose one above 1023';
  if (error.code === 'EADDRNOTAVAIL') return 'this machine has no such address';
  return error.message;
}
