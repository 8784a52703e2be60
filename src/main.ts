/** The composition root: the one place that names concrete classes and puts them together. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import pino from 'pino';
import { type Config, ConfigError } from './config.ts';
import {
  CONTRACT,
  type Contract,
  makeContract,
  readDeadlines,
  readFaults,
  readLimits,
  readShedFirst,
  SHED_FIRST,
} from './contract.ts';
import { type Clock, type Random, systemClock, systemRandom } from './domain/clock.ts';
import { MasterKey, parseMasterKey } from './domain/master-key.ts';
import { TrustedProxies } from './domain/proxies.ts';
import { followTls, readTls, selfSigned, type TlsFiles } from './ops/certificate.ts';
import { type DemoKey, demoKeys, putDemoData } from './ops/demo.ts';
import { FileError, ownMasterKey, readMasterKey } from './ops/files.ts';
import type { Registration } from './pipeline/call.ts';
import { deadlinesOf } from './pipeline/deadline.ts';
import { Faults } from './pipeline/faults.ts';
import type { Log } from './pipeline/log.ts';
import { Metrics } from './pipeline/metrics.ts';
import { Pipeline } from './pipeline/pipeline.ts';
import { RequestMemory } from './pipeline/request-memory.ts';
import { Shed } from './pipeline/shed.ts';
import { openSqlite } from './store/sqlite/sqlite.ts';
import { type Store, StoreError } from './store/store.ts';
import { Dispatch } from './transport/dispatch.ts';
import { Health } from './transport/health.ts';
import { Listener } from './transport/listener.ts';
import { contractPages, healthPages, metricsPages } from './transport/plain.ts';
import { reflection } from './transport/reflection.ts';

/** What a server is made of that is not a setting; tests choose their own. */
export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** From 0 up to 1; draws the faults. */
  readonly draw: () => number;
  /** Services beside the contract's own, each with what implements it; for tests of the transport. */
  readonly extraServices: readonly Registration[];
}

export interface Server {
  /** The port that connections are taken on. */
  readonly port: number;
  /** The port that operators look at; undefined in dev, which has all on one. */
  readonly internalPort: number | undefined;
  readonly tls: TlsFiles | undefined;
  /** In dev; empty in serve. */
  readonly demoKeys: readonly DemoKey[];
  /** Where the records are, as the settings name it. */
  readonly database: string;
  readonly store: Store;
  /** Lets calls in flight finish, then closes everything. */
  stop(): Promise<void>;
}

/** The program's own name and version. */
export const PACKAGE: { readonly name: string; readonly version: string } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);

/** The surroundings of a real process. */
export function surroundings(config: Config): Surroundings {
  return {
    clock: systemClock,
    random: systemRandom,
    log: pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: false })),
    draw: Math.random,
    extraServices: [],
  };
}

/**
 * Starts a server; it takes calls when this resolves.
 * @throws ConfigError, FileError or StoreError when it cannot; their messages are for people
 */
export async function start(config: Config, around: Surroundings): Promise<Server> {
  const { clock, random } = around;
  const flaws = settingFlaws(config);
  if (flaws.length > 0) throw new ConfigError(flaws);
  const masterKey = openMasterKey(config, random);
  const tls = await openTls(config, clock);
  const database = config.database ?? `sqlite:${path.join(config.data, 'propusk.db')}`;
  const metrics = new Metrics();
  const store = await openSqlite(database, {
    exclusive: true,
    writeQueueMax: config.writeQueueMax,
    onCommit: metrics.committed,
  });
  try {
    await checkDatabase(store, database, config, masterKey);
    const keys = config.mode === 'dev' ? demoKeys(masterKey, config.secret) : [];
    if (new Set(keys.map(({ secret }) => secret)).size < keys.length) {
      throw new ConfigError(['--secret is the secret of another demo key; choose another']);
    }
    if (config.mode === 'dev') await putDemoData(store, keys, masterKey, clock.now());
    const contract = await makeContract(config, { ...around, store, masterKey });
    const ports = await listen(config, { ...around, store, contract, tls, metrics });
    return { ...ports, tls, demoKeys: keys, database, store };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** What is wrong with settings, as only the parts that they are for can tell. */
export function settingFlaws(settings: Partial<Config>): string[] {
  const { faults, limits, deadlineMsMax, shedFirst, masterKey } = settings;
  const flaws = [
    ...readFaults(faults ?? []).flaws.map((flaw) => `--fault: ${flaw}`),
    ...readLimits(limits ?? []).flaws.map((flaw) => `--limit: ${flaw}`),
    ...readDeadlines(deadlineMsMax ?? []).flaws.map((flaw) => `--deadline-ms-max: ${flaw}`),
    ...readShedFirst(shedFirst ?? []).flaws.map((flaw) => `--shed-first: ${flaw}`),
  ];
  if (masterKey !== undefined && parseMasterKey(masterKey) === undefined) {
    flaws.push('PROPUSK_MASTER_KEY is neither 64 hex digits nor base64 of 32 bytes');
  }
  return flaws;
}

function openMasterKey(config: Config, random: Random): MasterKey {
  if (config.mode === 'dev') return new MasterKey(ownMasterKey(config.data, random));
  if (config.masterKeyFile !== undefined) return new MasterKey(readMasterKey(config.masterKeyFile));
  const key = parseMasterKey(config.masterKey ?? '');
  if (key === undefined) throw new Error('settingFlaws lets no other key through');
  return new MasterKey(key);
}

async function openTls(config: Config, clock: Clock): Promise<TlsFiles | undefined> {
  if (config.tlsCert !== undefined && config.tlsKey !== undefined) {
    return readTls(config.tlsCert, config.tlsKey);
  }
  if (!config.tls) return undefined;
  return selfSigned(config.data, config.tlsName, clock.now());
}

/** A database belongs to one mode and one master key. */
async function checkDatabase(
  store: Store,
  database: string,
  config: Config,
  masterKey: MasterKey,
): Promise<void> {
  const mode = await store.noteMeta('mode', config.mode);
  if (mode !== config.mode) {
    const why = mode === 'dev' ? 'it holds demo data' : 'demo data does not belong in it';
    throw new StoreError(
      `${database} was made by propusk ${mode}, not ${config.mode}: ${why}; choose another --database`,
    );
  }
  if (!masterKey.matches(await store.noteMeta('master-key-check', masterKey.checkValue()))) {
    throw new StoreError(
      `${database} belongs to another master key; start with the key that it was made with`,
    );
  }
}

interface Parts extends Surroundings {
  readonly store: Store;
  readonly contract: Contract;
  readonly tls: TlsFiles | undefined;
  readonly metrics: Metrics;
}

async function listen(
  config: Config,
  parts: Parts,
): Promise<Pick<Server, 'port' | 'internalPort' | 'stop'>> {
  const { store, contract, tls, metrics } = parts;
  const health = new Health(contract.registrations.map(({ service }) => service.typeName));
  const called = [...contract.registrations, health.registration];
  const reflected = called.map(({ service }) => service);
  const registrations = [...called, ...(config.reflection ? reflection(reflected) : [])];
  const memory = new RequestMemory(config.bufferedBytesMax);
  const first = readShedFirst(config.shedFirst).good;
  const pipeline = new Pipeline({
    ...parts,
    registrations,
    deadlineMsMax: deadlinesOf(readDeadlines(config.deadlineMsMax).good),
    faults: new Faults(readFaults(config.faults).good, parts.draw),
    admit: contract.admit,
    observer: metrics,
    shed: new Shed({
      ...config,
      ...parts,
      memory,
      first: first.length === 0 ? SHED_FIRST : first,
      never: [health.registration.service],
    }),
  });
  let isServing = false;
  const isDev = config.mode === 'dev';
  const healthy = healthPages({ isServing: () => isServing, ping: () => store.ping() });
  const measured = new Map([...healthy, ...metricsPages(() => metrics.page())]);
  const info = { title: 'Propusk', version: PACKAGE.version };
  const told = contractPages({ services: CONTRACT, info, hasDocs: isDev });
  const limits = { ...config, memory };
  const listener = listenerOf(limits, tls, {
    pipeline,
    services: registrations.map(({ service }) => service),
    plain: new Map([...(isDev ? measured : healthy), ...told]),
    limits,
    corsOrigins: config.corsOrigins,
    proxies: new TrustedProxies(config.trustedProxies),
  });
  metrics.show({
    ...contract.sources,
    version: PACKAGE.version,
    connections: () => listener.connections,
    bufferedBytes: () => memory.bytes,
  });
  // Nothing of the contract is there, nor what needs one: its certificate, its origins.
  const inner = { pipeline, services: [], plain: measured, limits, corsOrigins: [] };
  const internal = isDev ? undefined : listenerOf(limits, undefined, inner);
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
    pipeline.drain();
    await listener.drain();
    await Promise.race([pipeline.idle(), sleep(config.drainMsMax)]);
    await listener.closed(config.drainNoticeMs);
    // Last, so that the figures of the drain can be read.
    await internal?.closed(0);
    await store.close();
  };
  return { port, internalPort, stop };
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

/** True for what `start` throws for people: its message is all they need. */
export function isForPeople(error: unknown): error is Error {
  return error instanceof ConfigError || error instanceof FileError || error instanceof StoreError;
}
