/** The composition root: the one place that names concrete classes and puts them together. */
import { readFileSync } from 'node:fs';
import pino from 'pino';
import { type Config, ConfigError } from './config.ts';
import {
  makeContract,
  readDeadlines,
  readFaults,
  readLimits,
  readRulesFile,
  readShedFirst,
} from './contract.ts';
import { type Clock, type Random, systemClock, systemRandom } from './domain/clock.ts';
import { AppError } from './domain/errors.ts';
import { MasterKey, parseMasterKey } from './domain/master-key.ts';
import { listen, type Ports } from './listen.ts';
import { putDemoOperator } from './ops/bootstrap.ts';
import { readTls, selfSigned, type TlsFiles } from './ops/certificate.ts';
import { type DemoKey, demoKeys, putDemoData } from './ops/demo.ts';
import { FileError, ownMasterKey, readMasterKey, readNeeded } from './ops/files.ts';
import { readMarkets } from './ops/markets.ts';
import { checkMasterKey, databaseOf, nameOfDatabase, noted, wordsOf } from './ops/place.ts';
import { retainAudit } from './ops/retention.ts';
import type { Registration } from './pipeline/call.ts';
import type { Log } from './pipeline/log.ts';
import { Metrics } from './pipeline/metrics.ts';
import { openStore } from './store/open.ts';
import { type Store, StoreError } from './store/store.ts';

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

export interface Server extends Ports {
  readonly tls: TlsFiles | undefined;
  /** In dev; empty in serve. */
  readonly demoKeys: readonly DemoKey[];
  /** Of an owner, in dev; undefined in serve. */
  readonly operatorToken: string | undefined;
  /** Where the records are, as the settings name it, without a password. */
  readonly database: string;
  readonly store: Store;
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
  const flaws = await settingFlaws(config);
  if (flaws.length > 0) throw new ConfigError(flaws);
  const masterKey = openMasterKey(config, random);
  const markets = readMarkets(config.mics);
  const { services: rules } = await openRules(config.authzRules);
  const tls = await openTls(config, clock);
  const database = nameOfDatabase(databaseOf(config));
  const metrics = new Metrics();
  const store = await openStore(databaseOf(config), {
    exclusive: true,
    auditKey: masterKey.auditKey,
    writeQueueMax: config.writeQueueMax,
    connectionsMax: config.databaseConnectionsMax,
    statementMsMax: config.databaseStatementMsMax,
    stalenessMsMax: config.stalenessMsMax,
    onCommit: metrics.committed,
    onHeard: metrics.heard,
    clock,
  });
  try {
    await checkDatabase(store, database, config, masterKey);
    const keys = config.mode === 'dev' ? demoKeys(masterKey, config.secret) : [];
    if (new Set(keys.map(({ secret }) => secret)).size < keys.length) {
      throw new ConfigError(['--secret is the secret of another demo key; choose another']);
    }
    if (config.mode === 'dev') await putDemoData(store, keys, masterKey, clock.now());
    const operatorToken =
      config.mode === 'dev' ? await putDemoOperator(store, masterKey, clock.now()) : undefined;
    const { version } = PACKAGE;
    const ofContract = { ...around, store, masterKey, markets, version, rules };
    const contract = await makeContract(config, ofContract);
    const parts = { ...around, store, contract, tls, metrics, version };
    const ports = await listen(config, parts).catch(async (error) => {
      await contract.close();
      throw error;
    });
    const endRetention = retain(config, around, store);
    const stop = async () => {
      await endRetention();
      await ports.stop();
    };
    return { ...ports, stop, tls, demoKeys: keys, operatorToken, database, store };
  } catch (error) {
    await store.close();
    const isOfStore = error instanceof AppError && error.reason === 'UNAVAILABLE';
    throw isOfStore
      ? new StoreError(`${database} cannot be used: ${wordsOf(error)}`, error)
      : error;
  }
}

function retain(config: Config, { clock, log }: Surroundings, store: Store): () => Promise<void> {
  return retainAudit({
    store,
    clock,
    keptMs: config.auditRetentionMs,
    onPruned: (entries) => log.info({ entries }, 'audit entries pruned'),
    onFailure: (err) => log.error({ err }, 'audit entries not pruned'),
  });
}

/** What is wrong with settings, as only the parts that they are for can tell. */
export async function settingFlaws(settings: Partial<Config>): Promise<string[]> {
  const { faults, limits, deadlineMsMax, shedFirst, masterKey } = settings;
  const rules = await openRules(settings.authzRules);
  const flaws = [
    ...rules.flaws.map((flaw) => `--authz-rules: ${flaw}`),
    ...readFaults(faults ?? []).flaws.map((flaw) => `--fault: ${flaw}`),
    ...readLimits(limits ?? [], rules.services).flaws.map((flaw) => `--limit: ${flaw}`),
    ...readDeadlines(deadlineMsMax ?? []).flaws.map((flaw) => `--deadline-ms-max: ${flaw}`),
    ...readShedFirst(shedFirst ?? []).flaws.map((flaw) => `--shed-first: ${flaw}`),
  ];
  if (masterKey !== undefined && parseMasterKey(masterKey) === undefined) {
    flaws.push('PROPUSK_MASTER_KEY is neither 64 hex digits nor base64 of 32 bytes');
  }
  return flaws;
}

/** The rules of a file, if there is one, and what is wrong with them. */
async function openRules(file: string | null | undefined) {
  if (file == null) return { services: [], flaws: [] };
  try {
    const { service, flaws } = await readRulesFile(readNeeded(file, 'the rules file'), file);
    return { services: [service], flaws };
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return { services: [], flaws: [error.message] };
  }
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
  const mode = await noted(store, 'mode', config.mode);
  if (mode !== config.mode) {
    const why = mode === 'dev' ? 'it holds demo data' : 'demo data does not belong in it';
    throw new StoreError(
      `${database} was made by propusk ${mode}, not ${config.mode}: ${why}; choose another --database`,
    );
  }
  await checkMasterKey(store, database, masterKey);
}

/** True for what `start` throws for people: its message is all they need. */
export function isForPeople(error: unknown): error is Error {
  return error instanceof ConfigError || error instanceof FileError || error instanceof StoreError;
}
