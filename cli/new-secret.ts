/** What becomes of a secret that the server shows once: to standard output, or to a file alone. */
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
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
  #isUsed = false;

  /** @throws CommandFailure USAGE where it cannot be made, or is there already */
  constructor(file: string) {
    this.#file = file;
    try {
      this.#handle = openSync(file, 'wx', 0o600);
    } catch (error) {
      const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
      const why = isThere ? 'it is there already, and is kept' : (error as Error).message;
      throw unusable(`${file} cannot be made: ${why}`, error);
    }
  }

  /** @throws CommandFailure FAILED */
  add(line: string): void {
    this.#try(() => writeSync(this.#handle, `${line}\n`));
    this.#isUsed = true;
  }

  /**
   * Closes it; what was added is on the disk then. A file without a line is taken away.
   * @throws CommandFailure FAILED
   */
  close(): void {
    if (this.#isUsed) this.#try(() => fsyncSync(this.#handle));
    closeSync(this.#handle);
    if (!this.#isUsed) rmSync(this.#file, { force: true });
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      const message = `${this.#file} cannot be written: ${(error as Error).message}`;
      throw new CommandFailure(Exit.FAILED, message, { cause: error });
    }
  }
}

/** Where a secret goes. */
interface SecretPlace {
  /** Its name in the output. */
  readonly name: 'secret' | 'token';
  /** The file that it is written to; undefined: to the output. */
  readonly path: string | undefined;
}

/** What the server has made: the thing, and its secret; empty where an answer before held it. */
interface Made<M> {
  readonly made: M | undefined;
  readonly secret: string;
}

/**
 * Makes something that has a secret, and hands the secret out: to a file alone where one is named,
 * else beside the thing.
 * @throws CommandFailure CONFLICT where the secret was shown before, by the same request
 */
export async function deliver<D extends DescMessage>(
  { output }: Call,
  { schema, columns }: Pick<Resource<D>, 'schema' | 'columns'>,
  { name, path }: SecretPlace,
  make: () => Promise<Made<MessageShape<D>>>,
): Promise<void> {
  const file = path === undefined ? undefined : new SecretFile(path);
  try {
    const { made, secret } = await make();
    if (made === undefined) throw new CommandFailure(Exit.FAILED, 'the server answered nothing');
    if (secret !== '') file?.add(secret);
    const shown = file === undefined && secret !== '';
    const row: readonly Column<MessageShape<D>>[] = [[name.toUpperCase(), () => secret]];
    const value = plainOf(schema, made) as JsonObject;
    output.record(shown ? { ...value, [name]: secret } : value, made, [
      ...columns,
      ...(shown ? row : []),
    ]);
    if (shown) output.say(`\nThe ${name} is shown this once; keep it now.`);
    if (secret !== '') return;
    throw new CommandFailure(
      Exit.CONFLICT,
      `the ${name} was shown to the same request before; rotate it if that answer is lost`,
      { reason: 'SECRET_ALREADY_SHOWN' },
    );
  } finally {
    file?.close();
  }
}
