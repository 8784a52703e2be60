/** Making commands: each has its help with an example, and the flags that all of its kind share. */
import { type Command, Option } from 'commander';
import type { Api } from './api.ts';
import { Connection } from './connection.ts';
import { CommandFailure, unusable } from './failure.ts';
import { FORMATS, type Format, Output } from './output.ts';
import type { Surroundings } from './surroundings.ts';

/** A flag as people type it. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The flags of one call, by their names in camel case. */
export class Flags {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  /** True where the flag was given. */
  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return value === undefined ? undefined : String(value);
  }

  /** Of a flag that may be given again and again. */
  texts(name: string): readonly string[] {
    return (this.#values[name] as readonly string[] | undefined) ?? [];
  }

  isOn(name: string): boolean {
    return this.#values[name] === true;
  }

  /**
   * A whole number.
   * @throws CommandFailure USAGE
   */
  number(name: string, min = 0): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min) {
      throw unusable(`${flagOf(name)}: "${text}" is not a whole number from ${min} on`);
    }
    return value;
  }
}

/** One call of a command: what it was given, and where it writes. */
export interface Call {
  readonly around: Surroundings;
  readonly flags: Flags;
  readonly output: Output;
  readonly connection: Connection;
  /** The admin API, as the operator who is logged in. */
  admin(): Promise<Api>;
}

/** What a command is. */
export interface Spec {
  /** Its name and its arguments, such as `get <id>`. */
  readonly usage: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Whole command lines; the test of the help tries each. */
  readonly examples: readonly string[];
  readonly options?: readonly Option[];
  /** More about it, for its own help. */
  readonly about?: string;
  /** Where it talks to the admin API: the flags that say which one. */
  readonly asksAdmin?: boolean;
  readonly run: (call: Call, ...args: (string | undefined)[]) => Promise<void>;
}

const SERVER_GROUP = 'Server:';

/** The flags that say which server, and as whom. */
export function serverOptions(): Option[] {
  const option = (flags: string, help: string) => new Option(flags, help).helpGroup(SERVER_GROUP);
  return [
    option('--server <url>', 'the admin API (default the one logged in to, PROPUSK_SERVER)'),
    option('--token-file <file>', "the operator's token (PROPUSK_TOKEN_FILE, PROPUSK_TOKEN)"),
    caOption(),
  ];
}

/** The flag that says whom to believe who the server is. */
export function caOption(): Option {
  const help = "PEM of who signs the server's certificate (PROPUSK_CA_FILE)";
  return new Option('--ca-file <file>', help).helpGroup(SERVER_GROUP);
}

/** The flags that say where the public API is. */
export function apiOptions(): Option[] {
  const help = 'the public API (default that of the server logged in to, PROPUSK_API)';
  return [new Option('--api <url>', help).helpGroup(SERVER_GROUP), caOption()];
}

/** A flag that may be given again and again. */
export function repeatable(flags: string, help: string): Option {
  return new Option(flags, `${help}; repeatable`).argParser((value, before: string[] = []) => [
    ...before,
    value,
  ]);
}

function formatOf(flags: Flags, { env }: Surroundings): Format {
  const given = flags.text('output') ?? env.PROPUSK_OUTPUT ?? 'table';
  const format = FORMATS.find((each) => each === given);
  if (format === undefined) throw unusable(`--output: "${given}" is none of ${FORMATS.join(', ')}`);
  return format;
}

/** Adds a command to its parent. */
export function addCommand(parent: Command, around: Surroundings, spec: Spec): void {
  const command = parent.command(spec.usage).summary(spec.summary);
  command.description(`${spec.about ?? spec.summary}`).allowExcessArguments(false);
  for (const option of spec.options ?? []) command.addOption(option);
  command.addOption(
    new Option('-o, --output <format>', `${FORMATS.join(', ')} (default table, PROPUSK_OUTPUT)`),
  );
  for (const option of spec.asksAdmin ? serverOptions() : []) command.addOption(option);
  const lines = spec.examples.map((example) => `  ${example}`).join('\n');
  command.addHelpText('after', `\n${spec.examples.length > 1 ? 'Examples' : 'Example'}:\n${lines}`);
  command.action(async () => {
    const flags = new Flags(command.opts());
    const [server, tokenFile, caFile, api] = ['server', 'tokenFile', 'caFile', 'api'].map((name) =>
      flags.text(name),
    );
    const connection = new Connection(around, { server, tokenFile, caFile, api });
    const output = new Output(around.stdout, formatOf(flags, around));
    const admin = () => connection.admin();
    try {
      await spec.run({ around, flags, output, connection, admin }, ...command.processedArgs);
    } catch (error) {
      throw hasRequestId(spec) ? advised(error) : error;
    } finally {
      connection.close();
    }
  });
}

function hasRequestId({ options = [] }: Spec): boolean {
  return options.some(({ long }) => long === '--request-id');
}

/** Says how to find out what became of a request whose answer was lost. */
function advised(error: unknown): unknown {
  if (!(error instanceof CommandFailure) || error.undecidedRequest === undefined) return error;
  const message =
    `${error.message}\nIt may have been done all the same. The same command with --request-id ` +
    `${error.undecidedRequest} tells, and does it if not.`;
  const { exit, reason, cause } = error;
  return new CommandFailure(exit, message, { cause, ...(reason !== undefined && { reason }) });
}

/** Adds a noun, to which its verbs are added. */
export function addNoun(program: Command, name: string, summary: string): Command {
  return program.command(name).description(summary).helpCommand(false);
}
