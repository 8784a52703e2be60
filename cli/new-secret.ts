/** What becomes of a secret that the server shows once: to standard output, or to a file alone. */
import { closeSync, fsyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import type { DescMessage, JsonObject, MessageShape } from '@bufbuild/protobuf';
import { Option } from 'commander';
import type { Call } from './command.ts';
import { CommandFailure, Exit, unusable } from './failure.ts';
import { plainOf } from './output.ts';
import type { Resource } from './resource.ts';
import type { Column } from './table.ts';

export function newFileOption(flags: string, what: string): Option {
  return new Option(flags, `write the ${what} to this new file (mode 0600), and nowhere else`);
}

/** A file that is made for secrets, before there are any: where it cannot be made, none are lost. */
export class SecretFile {
  readonly #file: string;
  readonly #handle: number;
  /** Bytes that are on the disk. */
  #bytes = 0;

  /** @throws CommandFailure USAGE where it cannot be made, or is there already */
  constructor(file: string) {
    this.#file = file;
    try {
      this.#handle = openSync(file, 'wx', 0o600);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const known = {
        EEXIST: 'it is there already, and is kept',
        ENOENT: 'there is no such folder',
      };
      const why = known[code as keyof typeof known] ?? message;
      throw unusable(`${file} cannot be made: ${why}`, error);
    }
  }

  /**
   * Adds a text; it is on the disk when this returns.
   * @throws CommandFailure FAILED when it could not be added; what was there before is
   */
  add(text: string): void {
    const bytes = Buffer.from(text);
    try {
      // A disk that is almost full takes a part, and says so by the count alone.
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#handle, bytes, at);
      fsyncSync(this.#handle);
    } catch (error) {
      // Half a line is none. A disk that cannot do that either has no more lines to come.
      this.#cut();
      const message = `${this.#file} cannot be written: ${(error as Error).message}`;
      throw new CommandFailure(Exit.FAILED, message, { cause: error });
    }
    this.#bytes += bytes.length;
  }

  /** Closes it. A file in which nothing is is taken away. */
  close(): void {
    closeSync(this.#handle);
    if (this.#bytes === 0) rmSync(this.#file, { force: true });
  }

  #cut(): void {
    try {
      ftruncateSync(this.#handle, this.#bytes);
    } catch {}
  }
}

/** Where a secret goes. */
interface SecretPlace {
  /** Its name in the output. */
  readonly name: 'secret' | 'token';
  /** The file that it is written to; undefined: to the output. */
  readonly path: string | undefined;
}

/** Writes a secret that exists already, and is nowhere if that fails. */
function addTo(file: SecretFile | undefined, secret: string, again: string): void {
  try {
    file?.add(`${secret}\n`);
  } catch (error) {
    const message = `${(error as Error).message}; what it is of is made, and nobody has it: ${again}`;
    throw new CommandFailure(Exit.SECRETS_LOST, message, { cause: error });
  }
}

/** What the server has made: the thing, and its secret; empty where an answer before held it. */
interface Made<M> {
  readonly made: M | undefined;
  readonly secret: string;
}

/**
 * Makes something that has a secret, and hands the secret out: to a file alone where one is named,
 * else beside the thing.
 * @throws CommandFailure CONFLICT where the secret was shown before, by the same request; SECRETS_LOST
 * where the file does not take it
 */
export async function deliver<D extends DescMessage>(
  { output, connection }: Call,
  { noun, schema, columns }: Pick<Resource<D>, 'noun' | 'schema' | 'columns'>,
  { name, path }: SecretPlace,
  make: () => Promise<Made<MessageShape<D>>>,
): Promise<void> {
  const file = path === undefined ? undefined : new SecretFile(path);
  try {
    const { made, secret } = await make();
    if (made === undefined) throw new CommandFailure(Exit.FAILED, 'the server answered nothing');
    const value = plainOf(schema, made) as JsonObject;
    const flag = name === 'secret' ? '--secret-file' : '--new-token-file';
    const again =
      `propusk ${noun.name()} rotate ${value.id} ${flag} ${value.id}.${name}` +
      connection.flagsAgain();
    if (secret !== '') addTo(file, secret, again);
    const shown = file === undefined && secret !== '';
    const row: readonly Column<MessageShape<D>>[] = [[name.toUpperCase(), () => secret]];
    output.record(shown ? { ...value, [name]: secret } : value, made, [
      ...columns,
      ...(shown ? row : []),
    ]);
    if (shown) output.say(`\nThe ${name} is shown this once; keep it now.`);
    if (secret !== '') return;
    throw new CommandFailure(
      Exit.CONFLICT,
      `the same request was answered before, with the ${name}, which is not shown again; if nobody ` +
        `has it: ${again}`,
      { reason: 'SECRET_ALREADY_SHOWN' },
    );
  } finally {
    file?.close();
  }
}
