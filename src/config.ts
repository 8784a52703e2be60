/**
 * The command line: flags and environment in, one typed frozen object out. A bad setting is told
 * with all the others that are bad, never alone.
 */
import { Command, CommanderError, Option } from 'commander';
import { BadSetting, type Mode, postgresUrl, type Setting, sqliteUrl } from './setting.ts';
import { SETTINGS } from './settings.ts';

type Settings = typeof SETTINGS;
type ValueOf<S> = S extends { repeatable: true; read: (text: string) => infer T }
  ? readonly T[]
  : S extends { fallback: string; read: (text: string) => infer T }
    ? T
    : S extends { read: (text: string) => infer T }
      ? T | undefined
      : never;

/** Everything that can be set. Names ending in Ms are milliseconds, in Bytes bytes. */
export type Config = Readonly<
  {
    mode: Mode;
    /** The master key as the environment gives it, in serve. */
    masterKey: string | undefined;
  } & { [K in keyof Settings]: ValueOf<Settings[K]> }
>;

/** The settings cannot be used; each line says what is wrong with one. */
export class ConfigError extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.lines = lines;
  }
}

/** Help or version was asked for; it is written already. */
interface Done {
  readonly kind: 'done';
}

/** What the command line asks for. */
export type Request = Done | { readonly kind: 'run'; readonly config: Config };

/** The same before anybody has looked whether all of it is good. */
export type Draft =
  | Done
  | {
      readonly kind: 'draft';
      readonly settings: Partial<Config>;
      /** What is wrong with it, as far as one setting, or two, can tell. */
      readonly flaws: readonly string[];
    };

/** The environment variable of a flag: `--session-ttl` is `PROPUSK_SESSION_TTL`. */
function variableOf(row: Setting<unknown>): string {
  return `PROPUSK_${nameOf(row).slice(2).replaceAll('-', '_').toUpperCase()}`;
}

function nameOf(row: Setting<unknown>): string {
  return row.flags.split(' ')[0] ?? '';
}

type Environment = Readonly<Record<string, string | undefined>>;
type Row = readonly [name: string, row: Setting<unknown>];

function rowsOf(mode: Mode): Row[] {
  const rows: Row[] = Object.entries(SETTINGS);
  return rows.filter(([, row]) => row.mode === undefined || row.mode === mode);
}

function optionOf(row: Setting<unknown>): Option {
  const fallback = row.fallback === undefined ? '' : `default ${row.fallback}, `;
  const option = new Option(row.flags, `${row.help} (${fallback}${variableOf(row)})`);
  if (row.repeatable) option.argParser((value, before: string[] = []) => [...before, value]);
  return row.group === undefined ? option : option.helpGroup(row.group);
}

/**
 * Reads the command line.
 * @param args without the program's own two
 * @throws ConfigError with a line for each thing that is wrong
 */
export function readCommandLine(
  args: readonly string[],
  env: Environment,
  version: string,
): Request {
  const draft = draftCommandLine(args, env, version);
  return draft.kind === 'done' ? draft : { kind: 'run', config: configOf(draft) };
}

/**
 * Reads the command line, for those who have more to say of it.
 * @throws ConfigError where it is none
 */
export function draftCommandLine(
  args: readonly string[],
  env: Environment,
  version: string,
): Draft {
  let draft: Draft = { kind: 'done' };
  const program = new Command('propusk')
    .description('The session and entitlement service of a trading API.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  const commands: [Mode, string, string][] = [
    [
      'dev',
      'run everything in one process, with demo data, to write a client against',
      '--secret my-secret --fault TokenDetails=UNAVAILABLE@0.1',
    ],
    [
      'serve',
      'run for production',
      '--database sqlite:/var/lib/propusk/propusk.db --master-key-file master.key',
    ],
  ];
  for (const [mode, description, example] of commands) {
    const command = program.command(mode).description(description).allowExcessArguments(false);
    command.exitOverride().configureOutput({ writeErr: () => {} });
    command.addHelpText('after', `\nExample:\n  propusk ${mode} ${example}`);
    for (const [, row] of rowsOf(mode)) command.addOption(optionOf(row));
    command.action((flags: Record<string, unknown>) => {
      draft = draftSettings(mode, flags, command, env);
    });
  }
  try {
    if (args.length === 0) program.outputHelp();
    else program.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: 'done' };
    // A guess at what was meant comes on a line of its own.
    const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    throw new ConfigError([`${message}; see propusk --help`]);
  }
  return draft;
}

/**
 * The settings, all of which are good.
 * @param more what is wrong with them that only those who use them can tell
 * @throws ConfigError with a line for each thing that is wrong
 */
export function configOf(
  { settings, flaws }: Exclude<Draft, Done>,
  more: readonly string[] = [],
): Config {
  const all = [...flaws, ...more];
  if (all.length > 0) throw new ConfigError(all);
  const values: Record<string, unknown> = { ...settings };
  for (const [name, row] of Object.entries(SETTINGS) as [string, Setting<unknown>][]) {
    if (row.repeatable) values[name] ??= [];
  }
  return Object.freeze(values) as Config;
}

function draftSettings(
  mode: Mode,
  flags: Record<string, unknown>,
  command: Command,
  env: Environment,
): Draft {
  const masterKey = mode === 'serve' ? env.PROPUSK_MASTER_KEY : undefined;
  const { values, errors } = readRows(rowsOf(mode), flags, command, env);
  Object.assign(values, { mode, masterKey });
  return { kind: 'draft', settings: values, flaws: [...errors, ...conflicts(mode, values)] };
}

function readRows(
  rows: readonly Row[],
  flags: Record<string, unknown>,
  command: Command,
  env: Environment,
): { values: Record<string, unknown>; errors: string[] } {
  const errors: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, row] of rows) {
    const option = command.options.find((each) => each.flags === row.flags);
    const given = flags[option?.attributeName() ?? ''];
    const fromEnv = env[variableOf(row)];
    const source = given === undefined && fromEnv !== undefined ? variableOf(row) : nameOf(row);
    const texts = given ?? (row.repeatable ? fromEnv?.split(',') : fromEnv) ?? row.fallback;
    try {
      if (row.repeatable) values[name] = [texts ?? []].flat().map((each) => row.read(String(each)));
      else values[name] = texts === undefined ? undefined : row.read(String(texts));
    } catch (error) {
      if (!(error instanceof BadSetting)) throw error;
      errors.push(`${source}: ${error.message}`);
      // There, though bad: that it is missing is not to be told as well.
      values[name] = null;
    }
  }
  return { values, errors };
}

/** The settings that say where the records and their master key are. */
export type PlaceSettings = Pick<Config, 'data' | 'database' | 'masterKeyFile' | 'masterKey'> & {
  /** Of `propusk copy`, instead of the database. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Where the command looks at it; see addPlaceOptions. */
  readonly databaseConnectionsMax?: number;
};

/** Of `propusk copy` alone. */
const COPY_SETTINGS = {
  from: {
    flags: '--from <url>',
    help: 'the SQLite database of the stopped service, sqlite:PATH',
    read: sqliteUrl,
  },
  to: {
    flags: '--to <url>',
    help: 'the PostgreSQL database, new and empty, postgres://USER@HOST/NAME; PGPASSWORD may have the password',
    read: postgresUrl,
  },
} satisfies Readonly<Record<string, Setting<unknown>>>;

const PLACE: readonly Row[] = [
  ['data', SETTINGS.data],
  ['database', SETTINGS.database],
  ['masterKeyFile', SETTINGS.masterKeyFile],
];

const TWO_PLACES: readonly Row[] = [
  ...PLACE.filter(([name]) => name !== 'database'),
  ...Object.entries(COPY_SETTINGS),
];

/** Of a server that uses the place, where a command looks at how it does. */
const USE: readonly Row[] = [['databaseConnectionsMax', SETTINGS.databaseConnectionsMax]];

/**
 * Gives a command the options that say where the records are.
 * @param places whether they are in one place, go from one to another, or are looked at with their use
 */
export function addPlaceOptions(
  command: Command,
  places: 'one' | 'two' | 'one and its use' = 'one',
): Command {
  const rows = places === 'two' ? TWO_PLACES : places === 'one' ? PLACE : [...PLACE, ...USE];
  for (const [, row] of rows) command.addOption(optionOf(row));
  return command;
}

/** What those options, or the environment, say; throws ConfigError. */
export function readPlace(
  flags: Record<string, unknown>,
  command: Command,
  env: Environment,
): PlaceSettings {
  const isOfIt = ([, row]: Row) => command.options.some((option) => option.flags === row.flags);
  const rows = isOfIt(['database', SETTINGS.database]) ? PLACE : TWO_PLACES;
  const all = [...rows, ...USE.filter(isOfIt)];
  const { values, errors } = readRows(all, flags, command, env);
  if (env.PROPUSK_MASTER_KEY !== undefined && values.masterKeyFile !== undefined) {
    errors.push('PROPUSK_MASTER_KEY and --master-key-file are both set; keep one of them');
  }
  for (const [name, row] of rows === PLACE ? [] : Object.entries(COPY_SETTINGS)) {
    if (values[name] === undefined) errors.push(`--${name} is missing: ${row.help}`);
  }
  if (errors.length > 0) throw new ConfigError(errors);
  return { ...(values as unknown as PlaceSettings), masterKey: env.PROPUSK_MASTER_KEY };
}

/** What is wrong with settings that are each fine by themselves. */
function conflicts(mode: Mode, values: Record<string, unknown>): string[] {
  const errors: string[] = [];
  if ((values.tlsCert === undefined) !== (values.tlsKey === undefined)) {
    errors.push('--tls-cert and --tls-key go together; one of them is missing');
  }
  const { headerMsMax, requestMsMax } = values;
  if (requestMsMax !== null && Number(headerMsMax) > Number(requestMsMax)) {
    errors.push('--header-ms-max is more than --request-ms-max, of which it is a part');
  }
  if (mode !== 'serve') return errors;
  if (values.database === undefined) {
    errors.push('--database is missing, such as --database sqlite:/var/lib/propusk/propusk.db');
  }
  if (values.masterKey === undefined && values.masterKeyFile === undefined) {
    errors.push(
      'the master key is missing: set PROPUSK_MASTER_KEY or --master-key-file ' +
        '(make one with: openssl rand -hex 32)',
    );
  }
  if (values.masterKey !== undefined && values.masterKeyFile !== undefined) {
    errors.push('PROPUSK_MASTER_KEY and --master-key-file are both set; keep one of them');
  }
  return errors;
}
