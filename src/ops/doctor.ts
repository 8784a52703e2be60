/** Looks at what a server needs, and says in plain words what is wrong with it. */
import { statfsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Clock } from '../domain/clock.ts';
import type { MasterKey } from '../domain/master-key.ts';
import { isPostgres } from '../store/postgres/url.ts';
import { look, reportOf } from '../store/sqlite/maintenance.ts';
import { whereIs } from '../store/upkeep.ts';
import { examineServer } from './doctor-postgres.ts';
import { isThere } from './files.ts';
import {
  attempt,
  bad,
  examineClock,
  examineContent,
  examineKeys,
  type Finding,
  good,
  inMiB,
  warning,
} from './findings.ts';
import { databaseOf, masterKeyOf, type Place } from './place.ts';

/** Free space under which writes will soon be refused. */
const FREE_BYTES_MIN = 256 << 20;
const FREE_BYTES_FEW = 2 ** 30;

/**
 * Looks at everything; changes nothing, and may be run while a server is.
 * @param connectionsMax that a server has to PostgreSQL for reads, where that is not what it comes with
 */
export async function examine(
  place: Place,
  clock: Clock,
  connectionsMax?: number,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const masterKey = await attempt(findings, 'config', () => masterKeyOf(place));
  if (masterKey !== undefined) findings.push(good('config', 'the master key can be read'));
  const database = databaseOf(place);
  const where = await attempt(findings, 'config', () => whereIs(database));
  if (where === undefined) return findings;
  findings.push(good('config', `the database is ${where}`));
  if (isPostgres(database)) {
    await examineServer(findings, database, { masterKey, clock, connectionsMax });
  } else await examineFile(findings, where, masterKey, clock);
  return findings;
}

async function examineFile(
  findings: Finding[],
  file: string,
  masterKey: MasterKey | undefined,
  clock: Clock,
): Promise<void> {
  const report = await attempt(findings, 'database', () => look(file, reportOf));
  if (report !== undefined) {
    const { damages } = report;
    for (const damage of damages) findings.push(bad('database', `the file is damaged: ${damage}`));
    if (damages.length === 0) findings.push(good('database', 'the file is sound'));
    findings.push(
      ...examineContent(report, masterKey),
      ...examineMode(file),
      examineClock(report, clock.now()),
      examineKeys(report, clock.now()),
    );
  }
  if (isThere(path.dirname(file))) findings.push(examineDisk(file));
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

function examineDisk(file: string): Finding {
  const { bavail, bsize } = statfsSync(path.dirname(file));
  const free = bavail * bsize;
  const size = [file, `${file}-wal`].reduce(
    (sum, each) => sum + (statSync(each, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
  const text = `${inMiB(free)} free, the database takes ${inMiB(size)}`;
  if (free < FREE_BYTES_MIN) return bad('disk', `${text}: writes will soon be refused`);
  if (free < Math.max(FREE_BYTES_FEW, size)) {
    const why = size > FREE_BYTES_FEW ? ': too little for a backup beside it' : '';
    return warning('disk', `${text}${why}`);
  }
  return good('disk', text);
}
