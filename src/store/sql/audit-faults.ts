/** What a verification of the audit log finds. */

/** What is found beyond these is counted, not told. */
const FAULTS_TOLD_MAX = 20;

/** A sentence for each fault, as far as they are told. */
export class Faults {
  readonly #told: string[] = [];
  #more = 0;

  add(fault: string): void {
    if (this.#told.length < FAULTS_TOLD_MAX) this.#told.push(fault);
    else this.#more++;
  }

  all(): string[] {
    return this.#more === 0 ? this.#told : [...this.#told, `and ${this.#more} more`];
  }
}
