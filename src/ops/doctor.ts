/** Looks at what a server needs, and says in plain words what is wrong with it. */
import { statfsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Clock } from '../domain/clock.ts';
import type { MasterKey } from '../domain/master-key.ts';
import { type FileReport, look, reportOf } from '../store/sqlite/maintenance.ts';
import { fileOf } from '../store/sqlite/sqlite.ts';
import { StoreError } from '../store/store.ts';
import { FileError, isThere, messageOf } from './files.ts';
import { databaseOf, masterKeyOf, type Place } from './place.ts';

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
/** Free space under which writes will soon be refused. */
const FREE_BYTES_MIN = 256 << 20;
const FREE_BYTES_FEW = 2 ** 30;
/** Clocks of two starts may differ by this much. */
const CLOCK_MS_SLACK = 60_000;
/** No right clock shows an earlier time. */
const EARLIEST_MS = Date.UTC(2025, 0, 1);

/** Looks at everything; changes nothing, and may be run while a server is. */
export function examine(place: Place, clock: Clock): Finding[] {
  const findings: Finding[] = [];
  const masterKey = attempt(findings, 'config', () => masterKeyOf(place));
  if (masterKey !== undefined) findings.push(good('config', 'the master key can be read'));
  const file = attempt(findings, 'config', () => fileOf(databaseOf(place)));
  if (file === undefined) return findings;
  findings.push(good('config', `the database is ${file}`));
  const report = attempt(findings, 'database', () => look(file, reportOf));
  if (report !== undefined) {
    findings.push(...examineDatabase(report, masterKey));
    findings.push(
      ...examineMode(file),
      examineClock(report, clock.now()),
      ...examineKeys(report, clock.now()),
    );
  }
  if (isThere(path.dirname(file))) findings.push(examineDisk(file));
  return findings;
}

function good(subject: Finding['subject'], text: string): Finding {
  return { grade: 'good', subject, text };
}

/** What goes wrong in a way that is for people is a finding as well. */
function attempt<R>(
  findings: Finding[],
  subject: Finding['subject'],
  read: () => R,
): R | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof StoreError || error instanceof FileError)) throw error;
    findings.push({ grade: 'bad', subject, text: messageOf(error) });
    return undefined;
  }
}

function examineDatabase(report: FileReport, masterKey: MasterKey | undefined): Finding[] {
  const { damages, mode, masterKeyCheck, head } = report;
  const bad = (text: string): Finding => ({ grade: 'bad', subject: 'database', text });
  const findings = damages.map((damage) => bad(`the file is damaged: ${damage}`));
  if (damages.length === 0) findings.push(good('database', 'the file is sound'));
  if (mode === undefined) findings.push(good('database', 'no server has used it yet'));
  else findings.push(good('database', `it belongs to propusk ${mode}`));
  if (masterKey !== undefined && masterKeyCheck !== undefined) {
    findings.push(
      masterKey.matches(masterKeyCheck)
        ? good('database', 'it belongs to this master key')
        : bad('it belongs to another master key'),
    );
  }
  if (head === undefined) findings.push(bad('the audit log has lost its head'));
  else findings.push(good('database', `the audit log ends with entry ${head.sequence}`));
  return findings;
}

/** Who else may write to the file may be an owner, and who may read it knows who trades. */
function examineMode(file: string): Finding[] {
  // Windows has no such mode.
  const mode = process.platform === 'win32' ? 0 : statSync(file).mode;
  if ((mode & 0o066) === 0) return [];
  const isWritable = (mode & 0o022) !== 0;
  const text = `${file} can be ${isWritable ? 'written' : 'read'} by others; make it private with: chmod 600 ${file}`;
  return [{ grade: isWritable ? 'bad' : 'warning', subject: 'database', text }];
}

function examineClock({ newestAtMs }: FileReport, nowMs: number): Finding {
  const now = new Date(nowMs).toISOString();
  if (nowMs < EARLIEST_MS) {
    return { grade: 'bad', subject: 'clock', text: `it shows ${now}: tokens would be of no use` };
  }
  if (newestAtMs === undefined || newestAtMs <= nowMs + CLOCK_MS_SLACK) {
    return good('clock', `it shows ${now}`);
  }
  const newest = new Date(newestAtMs).toISOString();
  const text = `it shows ${now}, and the newest audit entry is from ${newest}: one of them is wrong`;
  return { grade: 'bad', subject: 'clock', text };
}

function examineKeys({ signingKeys }: FileReport, nowMs: number): Finding[] {
  const [newest] = signingKeys;
  if (newest === undefined) return [good('key age', 'the signing key is made at the next start')];
  const days = Math.max(0, Math.floor((nowMs - newest.createdAtMs) / DAY_MS));
  const text = `the signing key is ${days} days old`;
  if (days <= KEY_DAYS_MAX) return [good('key age', text)];
  return [{ grade: 'warning', subject: 'key age', text: `${text}; it is worth a new one` }];
}

function examineDisk(file: string): Finding {
  const { bavail, bsize } = statfsSync(path.dirname(file));
  const free = bavail * bsize;
  const size = [file, `${file}-wal`].reduce(
    (sum, each) => sum + (statSync(each, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
  const text = `${inMiB(free)} free, the database takes ${inMiB(size)}`;
  if (free < FREE_BYTES_MIN) {
    return { grade: 'bad', subject: 'disk', text: `${text}: writes will soon be refused` };
  }
  if (free < Math.max(FREE_BYTES_FEW, size)) {
    const why = size > FREE_BYTES_FEW ? ': too little for a backup beside it' : '';
    return { grade: 'warning', subject: 'disk', text: `${text}${why}` };
  }
  return good('disk', text);
}

function inMiB(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}
