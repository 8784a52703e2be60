/** Connections to PostgreSQL: how they are made, asked, and what their errors mean. */
import pg from 'pg';
import { ConstraintError } from '../sql/constraint.ts';
import type { Query, Sql } from '../sql/query.ts';
import { numbered } from './numbered.ts';

/** How long a server may take to answer a connection, in milliseconds. */
export const CONNECT_MS_MAX = 5_000;
/** What a statement's answer may take beyond the statement itself before its connection is given up. */
const ANSWER_MS_MAX = 1_000;
/** How long a server may take to let a connection go, in milliseconds. */
const LEAVE_MS_MAX = 1_000;
/**
 * How long a transaction may wait for its node, in milliseconds: one that stopped in the middle must
 * not hold what the others wait for.
 */
const IDLE_IN_TRANSACTION_MS_MAX = 2_000;

/** Where, and how patiently. */
export interface ConnectOptions {
  /** `postgres://…`; what it leaves out is taken from libpq's variables, such as PGPASSWORD. */
  readonly url: string;
  /** What a statement may take, in milliseconds; 0: as long as it wants. */
  readonly statementMsMax: number;
}

/** @param purpose as the server's administrators see it */
export function clientConfig({ url, statementMsMax }: ConnectOptions, purpose: string) {
  return {
    connectionString: url,
    application_name: `propusk ${purpose}`,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    statement_timeout: statementMsMax,
    ...(statementMsMax > 0 && { query_timeout: statementMsMax + ANSWER_MS_MAX }),
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS_MAX,
    keepAlive: true,
    types: { getTypeParser },
  } satisfies pg.ClientConfig;
}

/** Whole numbers of 64 bits are numbers: none of ours is beyond 2^53. */
function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (oid === pg.types.builtins.INT8) return Number;
  return pg.types.getTypeParser(oid, format as 'text');
}

/** The database could not do its work, whatever it was asked; nothing of the transaction is kept. */
export class DatabaseFailure extends Error {
  /** False: the server itself said so, to a statement that it did not do. */
  readonly isOfConnection: boolean;

  constructor(message: string, isOfConnection: boolean, cause: unknown) {
    super(message, { cause });
    this.name = 'DatabaseFailure';
    this.isOfConnection = isOfConnection;
  }
}

/**
 * Classes of SQLSTATE that speak of the database and not of one statement: a connection that failed,
 * a transaction that failed before, access that was refused, a serialization or a deadlock, resources,
 * a lock that was not had, an operator's intervention, the system.
 */
const DATABASE_FAILURES = new Set(['08', '25', '28', '40', '53', '55', '57', '58', 'XX']);
/** Those after which the server goes away, so that nobody knows what became of a COMMIT. */
const CONNECTION_FAILURES = new Set(['08', '57', '58', 'XX']);
/** A statement that took too long; its connection is as good as before. */
const QUERY_CANCELED = '57014';

/** The driver's error as the logic of the store knows it. */
export function neutral(error: unknown): Error {
  if (!(error instanceof pg.DatabaseError)) {
    return new DatabaseFailure(lineOf(error), true, error);
  }
  const { code = '', constraint = '' } = error;
  const message = `${error.message} (SQLSTATE ${code})`;
  if (code === '23503') return new ConstraintError('foreign-key', message, { cause: error });
  // As with SQLite, a key that is there twice is a fault and no refusal.
  if (code === '23505' && !constraint.endsWith('_pkey')) {
    return new ConstraintError('unique', message, { cause: error });
  }
  const kind = code.slice(0, 2);
  if (!DATABASE_FAILURES.has(kind)) return new Error(message, { cause: error });
  const isOfConnection = CONNECTION_FAILURES.has(kind) && code !== QUERY_CANCELED;
  return new DatabaseFailure(message, isOfConnection, error);
}

/** What an error says, in one line; one about several addresses says nothing by itself. */
export function lineOf(error: unknown): string {
  const [first] = error instanceof AggregateError ? error.errors : [error];
  const text = first instanceof Error ? first.message : String(first);
  return text.replaceAll(/\s+/g, ' ');
}

/** Milliseconds since 1970 by the database's clock, which is the same for all nodes. */
export const DATABASE_NOW_MS =
  'CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)';

/** What takes statements: one connection, or a pool of them. */
export type Queries = Pick<pg.Client, 'query'> | Pick<pg.Pool, 'query'>;

/** Names of prepared statements, one for each text; the server parses each once a connection. */
const names = new Map<string, string>();

function nameOf(sql: string): string {
  let name = names.get(sql);
  if (name === undefined) {
    name = `q${names.size + 1}`;
    names.set(sql, name);
  }
  return name;
}

/** Asks one query. @throws ConstraintError, DatabaseFailure, or Error with the SQLSTATE */
export async function ask(queries: Queries, { of, sql, values }: Query): Promise<unknown> {
  try {
    const statement = { name: nameOf(sql), text: numbered(sql), values: [...values] };
    const { rows, rowCount } = await (queries as pg.Client).query(statement);
    if (of === 'first') return rows[0];
    return of === 'rows' ? rows : (rowCount ?? 0);
  } catch (error) {
    throw neutral(error);
  }
}

/** Asks each query in turn, until what asks has its own answer. A DatabaseFailure ends the asking. */
export async function drive<R>(queries: Queries, sql: Sql<R>): Promise<R> {
  let step = sql.next();
  while (step.done !== true) {
    let found: unknown;
    try {
      found = await ask(queries, step.value);
    } catch (error) {
      if (error instanceof DatabaseFailure) throw error;
      step = sql.throw(error);
      continue;
    }
    step = sql.next(found);
  }
  return step.value;
}

/** A connection of its own; the caller ends it. @throws DatabaseFailure */
export async function connect(config: pg.ClientConfig): Promise<pg.Client> {
  let client: pg.Client | undefined;
  try {
    // Reads the files that the URL names, such as a CA's certificate.
    client = new pg.Client(config);
    // A connection that is lost fails the query under way too, which tells of it.
    client.on('error', () => {});
    await client.connect();
    return client;
  } catch (error) {
    if (client !== undefined) void leave(client);
    throw neutral(error);
  }
}

/** Ends a connection in order, or without the server where that does not go along. Never rejects. */
export async function leave(client: pg.Client): Promise<void> {
  const late = setTimeout(() => client.connection.stream.destroy(), LEAVE_MS_MAX);
  await client.end().catch(() => {});
  clearTimeout(late);
}
