/** Where the secrets of new keys go: to a new file, or to a command, and nowhere else. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
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
  /** @throws CommandFailure FAILED when it cannot take any more */
  add(secret: NewSecret): void | Promise<void>;
  /** @throws CommandFailure FAILED when what was taken did not get where it should */
  close(): Promise<void>;
}

/** A new file of lines of JSON, readable by its owner alone. */
export class FileSink implements SecretSink {
  readonly #file: SecretFile;

  /** @throws CommandFailure USAGE where it cannot be made */
  constructor(file: string) {
    this.#file = new SecretFile(file);
  }

  add(secret: NewSecret): void {
    this.#file.add(JSON.stringify(secret));
  }

  async close(): Promise<void> {
    this.#file.close();
  }
}

/** A shell command that reads the lines from its standard input, such as one that feeds a vault. */
export class CommandSink implements SecretSink {
  readonly #child: ChildProcess;
  readonly #ended: Promise<string | undefined>;
  #failed: Error | undefined;

  /** What the command prints is for people: it goes to our standard error. */
  constructor(command: string) {
    this.#child = spawn(command, { shell: true, stdio: ['pipe', 2, 2] });
    this.#child.stdin?.on('error', (error) => {
      this.#failed = error;
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('close', (code, signal) => {
        resolve(code === 0 ? undefined : `it ended with ${signal ?? `code ${code}`}`);
      });
    });
  }

  async add(secret: NewSecret): Promise<void> {
    const { stdin } = this.#child;
    if (this.#failed !== undefined || stdin === null || stdin.destroyed) this.#refuse('it is gone');
    if (stdin?.write(`${JSON.stringify(secret)}\n`)) return;
    await Promise.race([once(stdin as NodeJS.EventEmitter, 'drain'), this.#ended]).catch(() => {});
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    const why = await this.#ended;
    if (why !== undefined || this.#failed !== undefined) {
      this.#refuse(why ?? String(this.#failed?.message));
    }
  }

  #refuse(why: string): never {
    throw new CommandFailure(Exit.FAILED, `the command did not take all secrets: ${why}`);
  }
}
