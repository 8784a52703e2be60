/** API keys of better-auth in a file of SQLite, so that they outlive the process, with a Map before it. */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { checkerOf, inMap, serve } from './api-keys.js';

const database = new DatabaseSync(
  path.join(process.env.BENCH_FOLDER, `better-auth-${process.pid}.db`),
);
// In its favour: a use of a key need not outlive a loss of power, so that only checkpoints wait for the disk.
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
const auth = checkerOf(database, { ...inMap(), fallbackToDatabase: true });
await (await auth.$context).runMigrations();
await serve(auth);
