/** Keys that were made, or may have been, and whose secrets may be nowhere: which, and what to do. */
import { CommandFailure } from '../failure.ts';

/** The command that gives a key another secret. */
export function rotation(id: string, serverFlags = ''): string {
  return `propusk key rotate ${id} --secret-file ${id}.secret${serverFlags}`;
}

/** Notes what becomes of the secrets of new keys. */
export class AtRisk {
  readonly #serverFlags: string;
  /** Given to where they go. */
  readonly #handed: string[] = [];
  /** Made, and their secrets are nowhere. */
  readonly #lost: string[] = [];
  /** Nobody said whether they were made. */
  readonly #unanswered: string[] = [];
  #isRejected = false;

  /** @param serverFlags of the command lines that are told */
  constructor(serverFlags: string) {
    this.#serverFlags = serverFlags;
  }

  noteHanded(ids: readonly string[]): void {
    this.#handed.push(...ids);
  }

  noteLost(ids: readonly string[]): void {
    this.#lost.push(...ids);
  }

  /** A key that could not be made, as far as is known. */
  noteFailed(id: string, error: unknown): void {
    if (!(error instanceof CommandFailure)) this.#unanswered.push(id);
    else if (error.reason === 'SECRET_ALREADY_SHOWN') this.#lost.push(id);
    else if (error.undecidedRequest !== undefined) this.#unanswered.push(id);
  }

  /** Whoever took the secrets says in the end that it did not keep them all. */
  noteRejected(): void {
    this.#isRejected = true;
  }

  /** What people are told; undefined where nothing is at risk. */
  told(): string | undefined {
    const parts = [
      this.#part(
        this.#lost,
        'Nobody has the secrets of these keys, and apply makes no other ones. Rotate each:',
      ),
      this.#part(
        this.#isRejected ? this.#handed : [],
        'The command was given the secrets of these keys before it failed. Rotate each that it did ' +
          'not keep:',
      ),
      this.#part(
        this.#unanswered,
        'No answer tells whether these keys were made. Rotate each that is there, since nobody has ' +
          'its secret:',
      ),
    ].filter((part) => part !== '');
    return parts.length === 0 ? undefined : parts.join('\n');
  }

  #part(ids: readonly string[], what: string): string {
    if (ids.length === 0) return '';
    const lines = ids.toSorted().map((id) => `  ${rotation(id, this.#serverFlags)}`);
    return [what, ...lines].join('\n');
  }
}
