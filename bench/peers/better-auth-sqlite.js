/** API keys of better-auth in a file of SQLite, as Propusk's are; it notes each use of one there. */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { checkerOf, serve } from './api-keys.js';

const database = new DatabaseSync(path.join(process.env.BENCH_FOLDER, 'better-auth.db'));
// What is noted need not outlive a loss of power: no call waits for the disk.
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
const auth = checkerOf(database);
await (await auth.$context).runMigrations();
await serve(auth);
