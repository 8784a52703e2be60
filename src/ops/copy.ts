/** Moves a stopped service's records from SQLite to PostgreSQL: all of them, or none. */
import { isDeepStrictEqual } from 'node:util';
import type { MasterKey } from '../domain/master-key.ts';
import { type CopiedTable, RowRefused } from '../store/copied.ts';
import { CopyTarget } from '../store/postgres/copy-target.ts';
import type { AuditReport } from '../store/sql/audit-verify.ts';
import { type Chunk, CopySource } from '../store/sqlite/copy-source.ts';
import { fileOf } from '../store/sqlite/sqlite.ts';
import { StoreError } from '../store/store.ts';
import { masterKeyOf, otherMasterKey, type Place } from './place.ts';
import type { Progress } from './progress.ts';

/** Where from, where to, and whose. */
export interface Move extends Place {
  /** `sqlite:PATH` */
  readonly from: string | undefined;
  /** `postgres://…` */
  readonly to: string | undefined;
}

/** What to tell, and what the process exits with. */
export interface Copied {
  readonly out: readonly string[];
  readonly notes?: readonly string[];
  readonly code?: number;
}

/** What people call what is in the tables; other tables have their own names. */
const NAMES: Readonly<Record<string, string>> = {
  client: 'clients',
  account: 'accounts',
  plan: 'plans',
  plan_permission: 'permissions of plans',
  subscription: 'subscriptions',
  api_key: 'keys',
  api_key_account: 'accounts of keys',
  api_key_limit: 'limits of keys',
  operator: 'operators',
  signing_key: 'signing keys',
  session: 'sessions',
  placed_order: 'orders',
  order_change: 'changes of orders',
  trade: 'trades',
  audit: 'audit entries',
};

/** What the process exits with after a signal: as a shell says that a program ended by it. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
type StopSignal = keyof typeof EXIT_CODES;

/**
 * Copies. Until the very end the target holds nothing, and the source is only read.
 * @param isUnverified take it though its audit log does not verify
 * @throws StoreError in one line, when something is in the way or does not fit afterwards
 */
export async function copy(move: Move, isUnverified: boolean, progress: Progress): Promise<Copied> {
  const { from = '', to = '' } = move;
  const masterKey = masterKeyOf(move);
  const source = new CopySource(fileOf(from));
  try {
    const report = judge(source, masterKey, isUnverified, progress);
    const target = await CopyTarget.open(to);
    return await unlessStopped(target, progress, async (goPastStopping) => {
      await target.begin(source.tables);
      await copyRows(source, target, progress);
      await target.settle(source.tables);
      await compare({ source, target, report, masterKey, progress });
      if (report.heads.length > 0) await target.register(masterKey.auditKey);
      goPastStopping();
      await target.commit();
      return tell(source, target, report);
    });
  } finally {
    source.close();
  }
}

/** What is in the way on the source's side; answers what its audit log is. */
function judge(
  source: CopySource,
  masterKey: MasterKey,
  isUnverified: boolean,
  progress: Progress,
): AuditReport {
  const { file } = source;
  const { damages, masterKeyCheck } = source.report();
  const [damage] = damages;
  if (damage !== undefined) throw new StoreError(`${file} is damaged: ${damage}`);
  if (masterKeyCheck === undefined) {
    throw new StoreError(`${file} holds nothing: no server has run on it`);
  }
  if (!masterKey.matches(masterKeyCheck)) throw otherMasterKey(file);
  progress.begin('checking the audit log', checksOf(source.tables));
  const report = source.verify(masterKey.auditKey, (count) => progress.add(count));
  progress.end();
  const [fault] = report.faults;
  if (fault === undefined || isUnverified) return report;
  const more = report.faults.length === 1 ? '' : ` (and ${report.faults.length - 1} more)`;
  const advice = 'see propusk audit verify; --unverified takes it all the same';
  throw new StoreError(`the audit log of ${file} does not verify: ${fault}${more}; ${advice}`);
}

/** What a verification comes to, one by one. */
const CHECKED = ['audit', 'client', 'account', 'plan', 'subscription', 'api_key', 'operator'];

function checksOf(tables: readonly CopiedTable[]): number {
  const checked = tables.filter(({ name }) => CHECKED.includes(name));
  return checked.reduce((sum, { rows }) => sum + rows, 0);
}

async function copyRows(source: CopySource, target: CopyTarget, progress: Progress): Promise<void> {
  const rows = source.tables.reduce((sum, table) => sum + table.rows, 0);
  progress.begin('copying rows', rows);
  for (const table of source.tables) {
    try {
      await target.load(table, counted(source.chunks(table), progress));
    } catch (error) {
      if (!(error instanceof RowRefused)) throw error;
      const row = `${table.name} ${source.keyAt(table.name, error.line)}`;
      const why = `PostgreSQL does not take ${row} of ${source.file}: ${error.message}`;
      throw new StoreError(`${why}; nothing was copied`, error);
    }
  }
  progress.end();
}

function* counted(chunks: Iterable<Chunk>, progress: Progress): Generator<Uint8Array> {
  for (const { data, rows } of chunks) {
    yield data;
    progress.add(rows);
  }
}

interface Pair {
  readonly source: CopySource;
  readonly target: CopyTarget;
  /** Of the source. */
  readonly report: AuditReport;
  readonly masterKey: MasterKey;
  readonly progress: Progress;
}

/** Whether the target, before it is committed, holds what the source does. */
async function compare({ source, target, report, masterKey, progress }: Pair): Promise<void> {
  for (const table of source.tables) {
    const rows = await target.count(table);
    if (rows === table.rows) continue;
    const counts = `${target.place} has ${rows} rows of ${table.name}, and ${source.file} ${table.rows}`;
    throw new StoreError(`${counts}; nothing was copied`);
  }
  progress.begin('checking the copy', checksOf(source.tables));
  const copied = await target.verify(masterKey.auditKey, (count) => progress.add(count));
  progress.end();
  if (isDeepStrictEqual(copied, report)) return;
  const fault = copied.faults.find((each) => !report.faults.includes(each)) ?? 'it ends elsewhere';
  const what = `the audit log of ${target.place} is not that of ${source.file}: ${fault}`;
  throw new StoreError(`${what}; nothing was copied`);
}

/**
 * Does the work unless a signal comes before it is past stopping; then the target is left at once.
 * @param work calls what it is given when it can be stopped no more
 */
async function unlessStopped(
  target: CopyTarget,
  progress: Progress,
  work: (goPastStopping: () => void) => Promise<Copied>,
): Promise<Copied> {
  let stopped: StopSignal | undefined;
  let isPastStopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (isPastStopping) return;
    stopped ??= signal as StopSignal;
    target.abort();
  };
  const signals = Object.keys(EXIT_CODES) as StopSignal[];
  for (const signal of signals) process.on(signal, stop);
  try {
    return await work(() => {
      if (stopped !== undefined) throw new Error(`stopped by ${stopped}`);
      isPastStopping = true;
    });
  } catch (error) {
    if (stopped === undefined) throw error;
    progress.leave();
    const note = `stopped by ${stopped}: nothing was copied, and ${target.place} holds no records`;
    return { out: [], notes: [note], code: EXIT_CODES[stopped] };
  } finally {
    for (const signal of signals) process.off(signal, stop);
    await target.close();
  }
}

/** What was copied, and what comes next. */
function tell(source: CopySource, target: CopyTarget, { faults }: AuditReport): Copied {
  const filled = source.tables.filter(({ rows }) => rows > 0);
  const width = Math.max(...filled.map(({ rows }) => `${rows}`.length));
  const counts = filled.map(
    ({ name, rows }) => `  ${`${rows}`.padStart(width)}  ${NAMES[name] ?? name}`,
  );
  const log = [
    'COPIED THOUGH ITS AUDIT LOG DOES NOT VERIFY:',
    ...faults.map((fault) => `  ${fault}`),
    'propusk audit verify goes on saying so',
  ];
  return {
    out: [
      `${target.place} holds what ${source.file} does:`,
      ...counts,
      ...(faults.length === 0 ? ['both audit logs verify, and end with the same entry'] : log),
      `next: start propusk serve with --database ${target.place} and the same master key`,
      `keep ${source.file}, which is as it was, and do not start a server on it again`,
    ],
  };
}
