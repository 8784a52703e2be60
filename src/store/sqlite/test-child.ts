/**
 * A process of its own for tests: `node test-child.ts WHAT PATH [MORE...]`. It says what it has to say
 * line by line on its standard output.
 */
import fs, { writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { AppError } from '../../domain/errors.ts';
import { AUDIT_KEY, audit, HOUSEHOLD, put, session } from '../contract-samples.ts';
import { restoreFile } from './restore.ts';
import { openSqlite } from './sqlite.ts';

const [what, path, ...more] = process.argv.slice(2) as [string, string, ...string[]];
const url = `sqlite:${path}`;
/** Written at once: what was said has been said, whenever the process is killed. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      // Nobody has read yet what was said before.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

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

  /** Restores the copy MORE[0], and kills itself before step MORE[1] on files; MORE[2]: without links. */
  async restore() {
    const [copy = '', last, links] = more;
    let step = 0;
    const steps = ['linkSync', 'renameSync', 'rmSync', 'copyFileSync', 'fsyncSync'] as const;
    for (const name of steps) {
      const done = fs[name] as (...args: unknown[]) => unknown;
      const counted = (...args: unknown[]) => {
        // What would remove nothing is no step.
        const isStep = name !== 'rmSync' || fs.existsSync(String(args[0]));
        if (isStep) step += 1;
        if (step === Number(last)) process.kill(process.pid, 'SIGKILL');
        if (name === 'linkSync' && links === 'no-links') throw new Error('there are no links here');
        return done(...args);
      };
      Object.assign(fs, { [name]: counted });
    }
    syncBuiltinESMExports();
    await restoreFile(copy, url, AUDIT_KEY, () => audit('database.restore', 'database'));
    say('restored');
  },

  /** Opens the database as a user who may not, and says how that went. */
  async deny() {
    if (process.getuid?.() === 0) process.setuid?.(65_534);
    say(await openSqlite(url).then(() => 'opened', String));
  },
};

await TASKS[what]?.();
