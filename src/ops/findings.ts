/** What doctor finds of any database: whose it is, its log, its clock and its keys. */
import { isSealed } from '../domain/audit-chain.ts';
import type { MasterKey } from '../domain/master-key.ts';
import type { DatabaseReport } from '../store/sql/report.ts';
import { StoreError } from '../store/store.ts';
import { FileError, messageOf } from './files.ts';

/** One thing that was looked at. */
export interface Finding {
  readonly grade: 'good' | 'warning' | 'bad';
  readonly subject: 'config' | 'database' | 'clock' | 'key age' | 'disk';
  /** A sentence. */
  readonly text: string;
}

const DAY_MS = 86_400_000;
/** A signing key that is older is worth changing. */
const KEY_DAYS_MAX = 365;
/** Clocks of two starts may differ by this much. */
const CLOCK_MS_SLACK = 60_000;
/** No right clock shows an earlier time. */
const EARLIEST_MS = Date.UTC(2025, 0, 1);

export function good(subject: Finding['subject'], text: string): Finding {
  return { grade: 'good', subject, text };
}

export function warning(subject: Finding['subject'], text: string): Finding {
  return { grade: 'warning', subject, text };
}

export function bad(subject: Finding['subject'], text: string): Finding {
  return { grade: 'bad', subject, text };
}

/** What goes wrong in a way that is for people is a finding as well. */
export async function attempt<R>(
  findings: Finding[],
  subject: Finding['subject'],
  read: () => R | Promise<R>,
): Promise<R | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof StoreError || error instanceof FileError)) throw error;
    findings.push(bad(subject, messageOf(error)));
    return undefined;
  }
}

/** Whose database it is, and where its log ends. */
export function examineContent(
  report: DatabaseReport,
  masterKey: MasterKey | undefined,
): Finding[] {
  const { mode, masterKeyCheck } = report;
  const findings: Finding[] = [];
  if (mode === undefined) findings.push(good('database', 'no server has used it yet'));
  else findings.push(good('database', `it belongs to propusk ${mode}`));
  if (masterKey !== undefined && masterKeyCheck !== undefined) {
    findings.push(
      masterKey.matches(masterKeyCheck)
        ? good('database', 'it belongs to this master key')
        : bad('database', 'it belongs to another master key'),
    );
  }
  findings.push(examineLog(report, masterKey));
  return findings;
}

function examineLog({ heads, masterKeyCheck }: DatabaseReport, masterKey: MasterKey | undefined) {
  if (heads.length === 0) return bad('database', 'the audit log has lost its head');
  const isOurs = masterKeyCheck !== undefined && masterKey?.matches(masterKeyCheck) === true;
  const isWrong = heads.some(
    (head) => head.writer !== '' && isOurs && !isSealed(masterKey.auditKey, 'head', head),
  );
  if (isWrong) {
    const text = 'the head of the audit log was changed, so nothing is written any more';
    return bad('database', `${text}; see propusk audit verify`);
  }
  const end = Math.max(...heads.map(({ sequence }) => sequence));
  const chains =
    heads.length === 1 ? 'the audit log' : `the audit log has ${heads.length} chains and`;
  return good('database', `${chains} ends with entry ${end}`);
}

export function examineClock({ newestAtMs }: DatabaseReport, nowMs: number): Finding {
  const now = new Date(nowMs).toISOString();
  if (nowMs < EARLIEST_MS) return bad('clock', `it shows ${now}: tokens would be of no use`);
  if (newestAtMs === undefined || newestAtMs <= nowMs + CLOCK_MS_SLACK) {
    return good('clock', `it shows ${now}`);
  }
  const newest = new Date(newestAtMs).toISOString();
  const text = `it shows ${now}, and the newest audit entry is from ${newest}: one of them is wrong`;
  return bad('clock', text);
}

export function examineKeys({ signingKeys }: DatabaseReport, nowMs: number): Finding {
  const [newest] = signingKeys;
  if (newest === undefined) return good('key age', 'the signing key is made at the next start');
  const days = Math.max(0, Math.floor((nowMs - newest.createdAtMs) / DAY_MS));
  const text = `the signing key is ${days} days old`;
  if (days <= KEY_DAYS_MAX) return good('key age', text);
  return warning('key age', `${text}; it is worth a new one`);
}

export function inMiB(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}
