/** What a verification of the audit log finds. */

/** What is found beyond these is counted, not told. */
const FAULTS_TOLD_MAX = 20;

/** Hears of faults. */
export interface Told {
  add(fault: string): void;
}

/** A sentence for each fault, as far as they are told. */
export class Faults implements Told {
  readonly #told: string[] = [];
  #more = 0;

  add(fault: string): void {
    if (this.#told.length < FAULTS_TOLD_MAX) this.#told.push(fault);
    else this.#more++;
  }

  /** The same, of one part of the log that has several. */
  of(part: string): Told {
    return { add: (fault) => this.add(`${part}: ${fault}`) };
  }

  all(): string[] {
    return this.#more === 0 ? this.#told : [...this.#told, `and ${this.#more} more`];
  }
}
