/** Every setting, one row each: its flag, what it falls back to, and how its text is read. */
import {
  address,
  count,
  countersUrl,
  countFromZero,
  databaseUrl,
  flag,
  hostName,
  logLevel,
  network,
  orders,
  origin,
  retention,
  type Setting,
  sessionTtl,
  text,
} from './setting.ts';

function setting<const S extends Setting<unknown>>(row: S): S {
  return row;
}

function limit(flags: string, fallback: number, help: string, read = count) {
  return { flags, fallback: String(fallback), help, group: 'Limits:', read };
}

/** The table. A name ending in Ms is milliseconds, in Bytes bytes. */
export const SETTINGS = {
  listen: setting({
    flags: '--listen <host:port>',
    fallback: '127.0.0.1:8080',
    help: 'where to take connections; port 0 picks a free one and prints it',
    read: address,
  }),
  internalListen: setting({
    flags: '--internal-listen <host:port>',
    fallback: '127.0.0.1:9090',
    mode: 'serve',
    help: 'where operators look, at /metrics and /readyz; not for the public',
    read: address,
  }),
  data: setting({
    flags: '--data <folder>',
    fallback: '.propusk',
    help: 'folder of the master key, the database and the self-signed certificate',
    read: text,
  }),
  database: setting({
    flags: '--database <url>',
    help: 'sqlite:PATH, sqlite::memory:, or postgres:// for several nodes (dev: sqlite:<data>/propusk.db)',
    read: databaseUrl,
  }),
  counters: setting({
    flags: '--counters <url>',
    help: 'where nodes count calls together: redis:// or rediss:// of Valkey or Redis (else each alone)',
    read: countersUrl,
  }),
  sessionTtlSeconds: setting({
    flags: '--session-ttl <duration>',
    fallback: '15m3s',
    help: 'how long a session lives, at least 5s',
    read: sessionTtl,
  }),
  orders: setting({
    flags: '--orders <paper|off>',
    help: 'where orders go: to a paper venue, or nowhere (dev: paper, serve: off)',
    read: orders,
  }),
  auditRetentionMs: setting({
    flags: '--audit-retention <duration>',
    fallback: '400d',
    help: 'how long audit entries, and sessions that are over, are kept, at least 1h',
    read: retention,
  }),
  secret: setting({
    flags: '--secret <value>',
    mode: 'dev',
    help: "the demo key's secret, instead of the one that belongs to the data folder",
    read: text,
  }),
  faults: setting({
    flags: '--fault <method=code@probability>',
    mode: 'dev',
    repeatable: true,
    help: 'answer an error on purpose, such as TokenDetails=UNAVAILABLE@0.1; repeatable',
    read: text,
  }),
  masterKeyFile: setting({
    flags: '--master-key-file <file>',
    mode: 'serve',
    help: 'file with the master key: 64 hex digits or base64 of 32 bytes (or PROPUSK_MASTER_KEY)',
    read: text,
  }),
  mics: setting({
    flags: '--mics <file>',
    help: 'list of MICs and their countries (CSV of ISO 10383) that stands before the built-in one',
    read: text,
  }),
  authzRules: setting({
    flags: '--authz-rules <file>',
    help: 'what proxies may ask about at /authz beside the routes of the contract (YAML or JSON)',
    read: text,
  }),
  tls: setting({
    flags: '--tls',
    fallback: 'false',
    help: 'speak TLS, with a self-signed certificate under the data folder',
    read: flag,
  }),
  tlsName: setting({
    flags: '--tls-name <name>',
    fallback: 'localhost',
    help: 'host name in the self-signed certificate',
    read: hostName,
  }),
  tlsCert: setting({
    flags: '--tls-cert <file>',
    help: 'certificate chain in PEM; turns TLS on',
    read: text,
  }),
  tlsKey: setting({ flags: '--tls-key <file>', help: 'its private key in PEM', read: text }),
  reflection: setting({
    flags: '--reflection <true|false>',
    fallback: 'true',
    help: 'answer gRPC server reflection',
    read: flag,
  }),
  corsOrigins: setting({
    flags: '--cors-origin <origin>',
    repeatable: true,
    help: 'origin whose pages may call this service, such as https://example.org; repeatable',
    read: origin,
  }),
  trustedProxies: setting({
    flags: '--trusted-proxy <address>',
    repeatable: true,
    help: 'address or network, such as 10.0.0.0/8, whose word on who called it is taken; repeatable',
    read: network,
  }),
  logLevel: setting({
    flags: '--log-level <level>',
    fallback: 'info',
    help: 'debug, info, warn, error or silent; JSON lines on standard error',
    read: logLevel,
  }),
  limits: setting({
    flags: '--limit <[method=]calls>',
    repeatable: true,
    help: 'calls of a method by one key in any 60 s, such as Auth=1000, or 1000 for all; repeatable',
    read: text,
  }),
  shedFirst: setting({
    flags: '--shed-first <method>',
    repeatable: true,
    help: 'method to refuse before others under overload; repeatable, in this order',
    read: text,
  }),
  callsMax: limit('--calls-max <n>', 10_000, 'unary calls under way at a time'),
  arrivingCallsMax: limit(
    '--arriving-calls-max <n>',
    20_000,
    'calls whose request has not arrived whole at a time',
  ),
  arrivingCallsPerAddressMax: limit(
    '--arriving-calls-per-address-max <n>',
    2000,
    'the same of one address',
  ),
  streamsMax: limit(
    '--streams-max <n>',
    20_000,
    'streams open at a time, on all connections; those of operators apart',
  ),
  streamsPerKeyMax: limit('--streams-per-key-max <n>', 1000, 'streams of one key open at a time'),
  anonymousStreamsMax: limit(
    '--anonymous-streams-max <n>',
    1000,
    'streams open at a time whose callers show nothing (health, reflection)',
  ),
  anonymousStreamsPerAddressMax: limit(
    '--anonymous-streams-per-address-max <n>',
    100,
    'the same of one address',
  ),
  lagMsMax: limit(
    '--lag-ms-max <n>',
    20,
    'time that calls may wait for their turn, where they wait again and again',
  ),
  bufferedBytesMax: limit(
    '--buffered-bytes-max <n>',
    256 << 20,
    'bytes of all requests in memory at a time',
  ),
  bufferedBytesPerAddressMax: limit(
    '--buffered-bytes-per-address-max <n>',
    64 << 20,
    'the same from one address',
  ),
  addressCallsMax: limit(
    '--address-calls-max <n>',
    200,
    'calls from one address in any 60 s that show no valid secret or token',
  ),
  openOrdersMax: limit('--open-orders-max <n>', 20_000, 'orders open on the paper venue'),
  accountOpenOrdersMax: limit(
    '--account-open-orders-max <n>',
    1000,
    'orders of one account open there; GetOrders tells them all in one answer',
  ),
  operatorFailuresMax: limit(
    '--operator-failures-max <n>',
    20,
    "calls from one address in any 60 s that show no valid operator's token",
  ),
  serviceCallsMax: limit(
    '--service-calls-max <n>',
    0,
    'calls of one service credential in any 60 s; 0: as many as it likes',
    countFromZero,
  ),
  checkCacheMsMax: limit(
    '--check-cache-ms-max <n>',
    1000,
    'time for which backends may keep the answer of a check; 0: none',
    countFromZero,
  ),
  callersMax: limit('--callers-max <n>', 500_000, 'callers whose calls are counted at a time'),
  countersMsMax: limit('--counters-ms-max <n>', 20, 'time that a call waits for --counters'),
  bodyBytesMax: limit('--body-bytes-max <n>', 1 << 20, 'bytes of a request message'),
  streamBodyBytesMax: limit(
    '--stream-body-bytes-max <n>',
    4096,
    'bytes of a request message of a stream',
  ),
  headerBytesMax: limit('--header-bytes-max <n>', 16_384, 'bytes of all request headers'),
  headerMsMax: limit('--header-ms-max <n>', 10_000, 'time for the request headers to arrive'),
  requestMsMax: limit('--request-ms-max <n>', 30_000, 'time for a request to arrive whole'),
  idleMsMax: limit('--idle-ms-max <n>', 120_000, 'time that a connection may be idle'),
  sniffMsMax: limit('--sniff-ms-max <n>', 10_000, 'time for a connection to show its protocol'),
  connectionsMax: limit('--connections-max <n>', 20_000, 'connections at a time'),
  connectionsPerAddressMax: limit(
    '--connections-per-address-max <n>',
    10_000,
    'connections at a time from one address',
  ),
  streamsPerConnectionMax: limit(
    '--streams-per-connection-max <n>',
    1000,
    'HTTP/2 streams at a time on one connection',
  ),
  deadlineMsMax: setting({
    flags: '--deadline-ms-max <[method=]ms>',
    repeatable: true,
    help: 'time for a unary call to be answered, such as Auth=500, or 5000 for all (else 10000); repeatable',
    group: 'Limits:',
    read: text,
  }),
  drainNoticeMs: limit(
    '--drain-notice-ms <n>',
    500,
    'after SIGTERM, time in which calls that are on their way are still answered',
  ),
  drainMsMax: limit('--drain-ms-max <n>', 20_000, 'after SIGTERM, time for calls to finish'),
  writeQueueMax: limit('--write-queue-max <n>', 8192, 'writes that wait for the database'),
  databaseConnectionsMax: limit(
    '--database-connections-max <n>',
    10,
    'connections to PostgreSQL for reads; three more are for all else',
  ),
  databaseStatementMsMax: limit(
    '--database-statement-ms-max <n>',
    5000,
    'time for PostgreSQL to do one statement',
  ),
  stalenessMsMax: limit(
    '--staleness-ms-max <n>',
    1000,
    'age of what was heard of other nodes from which on PostgreSQL is asked at each call',
  ),
  grantsCachedMax: limit('--grants-cached-max <n>', 200_000, 'grants held in memory'),
  tokensCachedMax: limit('--tokens-cached-max <n>', 50_000, 'verified tokens held in memory'),
};
