/** For tests: databases as Propusk leaves them, and copies that were changed behind its back. */
import type { KeyObject } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AUDIT_KEY, audit, session } from '../contract-samples.ts';
import type { NextNumbers } from '../sql/audit.ts';
import type { ChainHead } from '../sql/audit-points.ts';
import { first } from '../sql/query.ts';
import type { Store } from '../store.ts';
import { verifyFile } from './maintenance.ts';
import { openSqlite } from './sqlite.ts';

/** A folder of databases. */
export class Databases {
  readonly folder = mkdtempSync(join(tmpdir(), 'propusk-audit-'));
  #made = 0;

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  file(name: string): string {
    return join(this.folder, `${name}.db`);
  }

  /** A copy of a database, changed by these statements; those of `attached` are there by their names. */
  changed(from: string, sql: string, attached: Readonly<Record<string, string>> = {}): string {
    this.#made += 1;
    const file = this.file(`changed-${this.#made}`);
    copyFileSync(from, file);
    const db = new DatabaseSync(file);
    for (const [name, other] of Object.entries(attached)) db.exec(`ATTACH '${other}' AS ${name}`);
    db.exec(sql);
    db.close();
    return file;
  }
}

/** Numbers as a database's sequence gives them, for logs of several chains. */
export function numbers(last = 0) {
  let drawn = last;
  /** How many were drawn at a time. */
  const counts: number[] = [];
  const draw = (count: number) => {
    counts.push(count);
    return Array.from({ length: count }, () => ++drawn);
  };
  const next: NextNumbers = function* (count) {
    const asked = draw(count);
    // As an engine is asked, so that others come in between.
    yield* first('SELECT 1 AS one');
    return asked;
  };
  return { next, counts, one: () => draw(1)[0] as number };
}

/** Writes to a database, as a server would. */
export async function using(
  file: string,
  write: (store: Store) => Promise<unknown>,
  auditKey: KeyObject = AUDIT_KEY,
): Promise<void> {
  const store = await openSqlite(`sqlite:${file}`, { auditKey });
  try {
    await write(store);
  } finally {
    await store.close();
  }
}

/** Records a session of key k1, with its entry. */
export function signIn(store: Store, id: string, more: Parameters<typeof session>[2] = {}) {
  const entry = audit('session.create', `session:${id}`);
  return store.createSession(session(id, 'k1', more), entry);
}

/** What a verification finds. */
export function faultsOf(file: string, since: readonly ChainHead[] = []): readonly string[] {
  return verifyFile(file, AUDIT_KEY, { since }).faults;
}
