/**
 * A process of its own for tests: `node test-child.ts WHAT PATH`. It says what it has to say
 * line by line on its standard output.
 */
import { writeSync } from 'node:fs';
import { AppError } from '../../domain/errors.ts';
import { AUDIT_KEY, audit, HOUSEHOLD, put, session } from '../contract-samples.ts';
import { openSqlite } from './sqlite.ts';

const [what, path] = process.argv.slice(2) as [string, string];
const url = `sqlite:${path}`;
// Written at once: what was said has been said, whenever the process is killed.
const say = (line: string) => writeSync(1, `${line}\n`);

const TASKS: Readonly<Record<string, () => Promise<void>>> = {
  /** Opens the database, leaves it open, and has nothing more to do. */
  async open() {
    await openSqlite(url);
    say('open');
  },

  /** Holds the database for itself until it is killed, or says why it cannot. */
  async hold() {
    try {
      await openSqlite(url, { exclusive: true });
      say('open');
      setInterval(() => {}, 60_000);
    } catch (error) {
      say(String(error));
    }
  },

  /** Records sessions, many at a time, and names each once it is recorded; until it is killed. */
  async sessions() {
    const store = await openSqlite(url, { auditKey: AUDIT_KEY });
    let last = 0;
    const record = async () => {
      for (;;) {
        last += 1;
        const id = `s${last}`;
        await store.createSession(session(id, 'k1'), audit('session.create', id));
        say(id);
      }
    };
    await Promise.all(Array.from({ length: 32 }, record));
  },

  /** Writes more than its limit of file size allows, with a small write on each side. */
  async overflow() {
    const store = await openSqlite(url, { auditKey: AUDIT_KEY });
    await put(store, HOUSEHOLD);
    const create = (id: string, text: string) =>
      store.createSession(session(id, 'k1'), audit('session.create', id, { detail: { text } }));
    const answers = await Promise.allSettled([
      create('small', ''),
      create('large', 'x'.repeat(32 * 1_048_576)),
    ]);
    for (const answer of answers) {
      const error = answer.status === 'rejected' ? answer.reason : undefined;
      say(error instanceof AppError ? `${error.reason}: ${error.cause}` : `${answer.status}`);
    }
    say(`afterwards ${await create('afterwards', '')}`);
    await store.close();
  },

  /** Opens the database as a user who may not, and says how that went. */
  async deny() {
    if (process.getuid?.() === 0) process.setuid?.(65_534);
    say(await openSqlite(url).then(() => 'opened', String));
  },
};

await TASKS[what]?.();
