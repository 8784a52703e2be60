/**
 * The commands that open the database themselves, on the machine that it is on: for when there is
 * nobody to ask yet, or no server that runs.
 */
import { Command, CommanderError } from 'commander';
import { addPlaceOptions, ConfigError, type PlaceSettings, readPlace } from './config.ts';
import { isSealed } from './domain/audit-chain.ts';
import { systemClock, systemRandom } from './domain/clock.ts';
import { parseDuration } from './domain/duration.ts';
import { AppError } from './domain/errors.ts';
import type { MasterKey } from './domain/master-key.ts';
import { OPERATOR_LIFE_MS_MAX } from './domain/operator.ts';
import { formatHead, readHeadFile, tellReport } from './ops/audit-report.ts';
import { backUp } from './ops/backup.ts';
import { bootstrap } from './ops/bootstrap.ts';
import { copy } from './ops/copy.ts';
import { examine } from './ops/doctor.ts';
import { FileError } from './ops/files.ts';
import {
  checkMasterKey,
  databaseOf,
  masterKeyOf,
  nameOfDatabase,
  noted,
  otherMasterKey,
  wordsOf,
} from './ops/place.ts';
import { Progress } from './ops/progress.ts';
import { restore } from './ops/restore.ts';
import { openStore } from './store/open.ts';
import { readHeads } from './store/sql/audit-points.ts';
import { readMeta } from './store/sql/reads.ts';
import { StoreError } from './store/store.ts';
import { lookAt, migrateDatabase, verifyDatabase, whereIs } from './store/upkeep.ts';

/** What a command needs of its process. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown };
  /** A terminal, or not when that is left out. */
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

/** A command done: what to say, and the exit code. */
interface Done {
  /** Lines of the answer itself. */
  readonly out: readonly string[];
  /** Lines for people beside it. */
  readonly notes?: readonly string[];
  /** 0 when left out. */
  readonly code?: number;
}

interface DatabaseCommand {
  readonly words: string;
  /** As the list of all commands tells it. */
  readonly summary: string;
  readonly more?: string;
  readonly example: string;
  readonly options?: readonly (readonly [flags: string, help: string, fallback?: string])[];
  /** Its name as `<needed>` or `[optional]`. */
  readonly argument?: readonly [name: string, help: string];
  /** One place of records when left out. */
  readonly places?: 'two' | 'one and its use';
  run(place: PlaceSettings, flags: Flags, argument: string | undefined, around: Surroundings): Ran;
}

type Ran = Done | Promise<Done>;
type Flags = Readonly<Record<string, string | boolean | undefined>>;

/** What is bad was found, or an answer is no. */
const EXIT_BAD = 1;

const PRODUCTION = '--database sqlite:/var/lib/propusk/propusk.db --master-key-file master.key';

/** All of them. */
export const DATABASE_COMMANDS: readonly DatabaseCommand[] = [
  {
    words: 'bootstrap',
    summary: 'make the first owner, and print its token once',
    more: 'The database is made if there is none; a server may be running on it.',
    example: `propusk bootstrap ${PRODUCTION} > owner.token`,
    options: [
      ['--name <name>', 'name of the owner', 'owner'],
      ['--expires <duration>', 'how long the token works, at most 366d', '90d'],
      ['--another', 'make one although there is an owner already'],
    ],
    run: runBootstrap,
  },
  {
    words: 'migrate',
    summary: "bring the database to this program's version, without starting a server",
    more: 'A server does the same when it starts; with SQLite, no server may be running on it.',
    example: `propusk migrate ${PRODUCTION}`,
    async run(place) {
      const { from, to } = await migrateDatabase(databaseOf(place));
      return { out: [from === to ? `at version ${to} already` : `from version ${from} to ${to}`] };
    },
  },
  {
    words: 'backup',
    summary: 'copy the database into a new file, also while a server runs on it',
    example: 'propusk backup --database sqlite:/var/lib/propusk/propusk.db monday.db',
    more: 'PostgreSQL has tools of its own for this: pg_dump, pg_basebackup.',
    argument: ['<file>', 'the copy; there must be no such file yet'],
    run: async (place, _, file = '') => ({ out: await backUp(place, file) }),
  },
  {
    words: 'restore',
    summary: 'put a backup in the place of the database; all sessions are revoked',
    more:
      'No server may be running. What was there before stays beside it, and what is lost is told.\n' +
      "With PostgreSQL run it without a file after the database was put back by PostgreSQL's own tools.",
    example: `propusk restore ${PRODUCTION} monday.db`,
    argument: ['[file]', 'a copy that propusk backup made; none with PostgreSQL'],
    options: [
      ['--unverified', 'take it though its audit log does not verify'],
      [
        '--since <file>',
        'heads that propusk audit head printed before: tells what is lost of them',
      ],
    ],
    run: async (place, { unverified, since }, copy) => ({
      out: await restore(place, {
        ...{ copy, isUnverified: unverified === true, clock: systemClock },
        since: since === undefined ? undefined : String(since),
      }),
    }),
  },
  {
    words: 'copy',
    summary: "move a stopped service's records from SQLite to PostgreSQL",
    more:
      'No server may be running on the SQLite database, which is only read. All is copied and checked,\n' +
      'audit log included, or nothing. Where --to has no password it is taken from PGPASSWORD or ~/.pgpass;\n' +
      'PROPUSK_TO may hold all of it. In an argument others on the machine may see it.',
    example: `propusk copy --from sqlite:propusk.db --to postgres://propusk@db.example/propusk`,
    places: 'two',
    options: [
      ['--unverified', 'take it though its audit log does not verify'],
      ['--quiet', 'do not tell how far it has come'],
    ],
    run: (place, { unverified, quiet }, _, { stderr }) =>
      copy(place, unverified === true, new Progress(stderr, quiet === true, systemClock)),
  },
  {
    words: 'doctor',
    summary: 'look at the settings, the database, the clock, the keys and the disk',
    more: 'Changes nothing; a server may be running. Exits with 1 when something is bad.',
    example: `propusk doctor ${PRODUCTION}`,
    places: 'one and its use',
    run: runDoctor,
  },
  {
    words: 'audit verify',
    summary: 'find whether the audit log, or what it tells of, was tampered with',
    more:
      'A server may be running. Exits with 1 when something is wrong. Only with a head that was kept\n' +
      'elsewhere does it find that the whole database was replaced by an older one.',
    example: `propusk audit verify ${PRODUCTION} --since head.json`,
    options: [['--since <file>', 'a head that propusk audit head printed before']],
    run: runVerify,
  },
  {
    words: 'audit head',
    summary: "print the audit log's head, to be kept elsewhere",
    more: 'A log that several servers write has several: a line for each.',
    example: `propusk audit head ${PRODUCTION} > /mnt/elsewhere/head.json`,
    run: runHead,
  },
];

/** The command that the words of a command line begin with; undefined when it is another's. */
export function databaseCommand(
  args: readonly string[],
): ((around: Surroundings) => Promise<number>) | undefined {
  const found = DATABASE_COMMANDS.find(({ words }) =>
    words.split(' ').every((word, i) => word === args[i]),
  );
  return found && ((around) => run(found, args.slice(found.words.split(' ').length), around));
}

async function run(
  { words, summary, more, example, argument, options = [], ...rest }: DatabaseCommand,
  args: readonly string[],
  around: Surroundings,
): Promise<number> {
  const { env, stdout, stderr } = around;
  const command = addPlaceOptions(new Command(`propusk ${words}`), rest.places)
    .description(more === undefined ? `${summary}.` : `${summary}.\n${more}`)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: () => {} })
    .addHelpText('after', `\nExample:\n  ${example}`);
  for (const [flags, help, fallback] of options) command.option(flags, help, fallback);
  if (argument !== undefined) command.argument(argument[0], argument[1]);
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    throw new ConfigError([`${message}; see propusk ${words} --help`]);
  }
  const flags = command.opts();
  const place = readPlace(flags, command, env);
  const {
    out,
    notes = [],
    code = 0,
  } = await forPeople(() => rest.run(place, flags, command.args[0], around));
  for (const line of notes) stderr.write(`${line}\n`);
  for (const line of out) stdout.write(`${line}\n`);
  return code;
}

/** What the store refuses is for people as well. */
async function forPeople(work: () => Done | Promise<Done>): Promise<Done> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppError) throw new StoreError(wordsOf(error), error);
    throw error;
  }
}

async function runBootstrap(place: PlaceSettings, flags: Flags): Promise<Done> {
  const { name, expires, another } = flags;
  const lifeMs = parseDuration(String(expires));
  if (lifeMs === undefined || lifeMs === 0) {
    throw new ConfigError([`--expires: "${expires}" is not a duration, such as 90d`]);
  }
  if (lifeMs > OPERATOR_LIFE_MS_MAX) {
    const days = OPERATOR_LIFE_MS_MAX / 86_400_000;
    throw new ConfigError([
      `--expires: "${expires}" is more than ${days}d, the most for an operator`,
    ]);
  }
  if (name === '') throw new ConfigError(['--name: is empty']);
  const database = databaseOf(place);
  const where = whereIs(database);
  const masterKey = masterKeyOf(place);
  const store = await openStore(database, { auditKey: masterKey.auditKey, follows: false });
  try {
    await checkMasterKey(store, nameOfDatabase(database), masterKey);
    // What the first server would note; one of dev stays one of dev.
    await noted(store, 'mode', 'serve');
    const { token, operator } = await bootstrap(store, masterKey, {
      ...{ name: String(name), lifeMs, isAnother: another === true },
      ...{ clock: systemClock, random: systemRandom },
    });
    const until = new Date(operator.expiresAtMs ?? 0).toISOString();
    const notes = [
      `${operator.name} (${operator.id}) is an owner of ${where} until ${until}.`,
      'The token is printed this once; log in with it: propusk login',
    ];
    return { out: [token], notes };
  } finally {
    await store.close();
  }
}

async function runDoctor(place: PlaceSettings): Promise<Done> {
  const findings = await examine(place, systemClock, place.databaseConnectionsMax);
  const out = findings.map(
    ({ grade, subject, text }) => `${grade.padEnd(7)}  ${subject.padEnd(8)}  ${text}`,
  );
  return { out, code: findings.some(({ grade }) => grade === 'bad') ? EXIT_BAD : 0 };
}

async function runVerify(place: PlaceSettings, { since }: Flags): Promise<Done> {
  const heads = since === undefined ? [] : readHeadFile(String(since));
  const masterKey = masterKeyOf(place);
  const database = databaseOf(place);
  if (await isOfAnotherKey(database, masterKey)) throw otherMasterKey(whereIs(database));
  const report = await verifyDatabase(database, masterKey.auditKey, heads);
  return { out: tellReport(report), code: report.faults.length > 0 ? EXIT_BAD : 0 };
}

/** To another key a whole log is wrong, though nobody has touched it; the database says whose it is. */
function isOfAnotherKey(database: string, masterKey: MasterKey): Promise<boolean> {
  return lookAt(database, function* () {
    const check = yield* readMeta('master-key-check');
    if (check === undefined || masterKey.matches(check)) return false;
    // Or that was changed, and the log is ours.
    const heads = yield* readHeads();
    return !heads.some((head) => isSealed(masterKey.auditKey, 'head', head));
  });
}

async function runHead(place: PlaceSettings): Promise<Done> {
  const database = databaseOf(place);
  const heads = await lookAt(database, readHeads);
  if (heads.length === 0) {
    throw new FileError(`${whereIs(database)} has no audit entry yet, so there is no head`);
  }
  return { out: heads.map(formatHead) };
}
