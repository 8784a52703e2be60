/** Where the secrets of new keys go: to a new file, or to a command, and nowhere else. */
import { type ChildProcess, spawn } from 'node:child_process';
import { CommandFailure, Exit } from '../failure.ts';
import { SecretFile } from '../new-secret.ts';

/** One line of JSON for each secret. */
export interface NewSecret {
  readonly key_id: string;
  readonly client_id: string;
  readonly secret: string;
}

/** Takes secrets; what `add` has taken is not lost with this process. */
export interface SecretSink {
  /**
   * Looks whether it takes any more, before there are any.
   * @throws CommandFailure FAILED when it does not
   */
  check(): void;
  /**
   * Resolves when it has taken all of them.
   * @throws CommandFailure FAILED when it has not; those of the calls before are where they were
   */
  add(secrets: readonly NewSecret[]): Promise<void>;
  /** @throws CommandFailure FAILED when what was taken may not have got where it should */
  close(): Promise<void>;
}

function linesOf(secrets: readonly NewSecret[]): string {
  return secrets.map((secret) => `${JSON.stringify(secret)}\n`).join('');
}

/** A new file of lines of JSON, readable by its owner alone. */
export class FileSink implements SecretSink {
  readonly #file: SecretFile;

  /** @throws CommandFailure USAGE where it cannot be made */
  constructor(file: string) {
    this.#file = new SecretFile(file);
  }

  check(): void {}

  async add(secrets: readonly NewSecret[]): Promise<void> {
    this.#file.add(linesOf(secrets));
  }

  async close(): Promise<void> {
    this.#file.close();
  }
}

/** A shell command that reads the lines from its standard input, such as one that feeds a vault. */
export class CommandSink implements SecretSink {
  readonly #child: ChildProcess;
  readonly #ended: Promise<string>;
  /** How it ended; undefined while it runs. */
  #end: string | undefined;
  #isGood = false;
  /** True once it could not be given what there was for it, whatever it says in the end. */
  #isShort = false;

  /** What the command prints is for people: it goes to our standard error. */
  constructor(command: string) {
    // In a group of its own: Ctrl+C is for us, who hand over what there is before we end.
    const detached = process.platform !== 'win32';
    this.#child = spawn(command, { shell: true, stdio: ['pipe', 2, 2], detached });
    this.#child.stdin?.on('error', () => {
      this.#isShort = true;
    });
    this.#ended = new Promise((resolve) => {
      const end = (how: string, isGood = false) => {
        this.#end ??= how;
        this.#isGood = isGood;
        resolve(how);
      };
      this.#child.once('error', (error) => end(error.message));
      this.#child.once('exit', (code, signal) => {
        end(`it ended with ${signal ?? `code ${code}`}`, code === 0);
      });
    });
  }

  check(): void {
    if (this.#end !== undefined) this.#refuse(`${this.#end} before it was given all`);
  }

  async add(secrets: readonly NewSecret[]): Promise<void> {
    this.check();
    const { stdin } = this.#child;
    const written = new Promise<boolean>((resolve) => {
      stdin?.write(linesOf(secrets), (error) => resolve(error == null));
    });
    // Of one that hangs without reading nothing else is heard.
    const isWritten = await Promise.race([written, this.#ended.then(() => false)]);
    if (!isWritten) this.#refuse(this.#end ?? 'it reads no more');
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    const how = await this.#ended;
    if (!this.#isGood) this.#refuse(how);
    if (this.#isShort) this.#refuse(`${how} before it was given all`);
  }

  #refuse(why: string): never {
    this.#isShort = true;
    throw new CommandFailure(Exit.FAILED, `the command did not take all secrets: ${why}`);
  }
}
