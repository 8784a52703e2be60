/** What became of the inputs, and what they brought to light. */
import type { Input } from './input.ts';
import type { Book, Outcome } from './job.ts';
import type { Finding } from './server.ts';

/** One kind's inputs, by what became of them; those without a network are all `answered`. */
export type Tally = Record<Outcome, number>;

/** The first of its sort, and how many there were of it. */
export interface Sort {
  readonly first: Finding;
  count: number;
}

/** How much of a finding tells its sort. */
const SORT_LENGTH = 300;

export class Ledger implements Book {
  readonly kinds = new Map<string, Tally>();
  readonly findings = new Map<string, Sort>();
  /** The input without a network that took longest. */
  slowest = { index: -1, kind: '', ms: 0 };
  readonly #onOver: (input: Input, outcome: Outcome) => void;

  constructor(onOver: (input: Input, outcome: Outcome) => void = () => {}) {
    this.#onOver = onOver;
  }

  readonly over = (input: Input, outcome: Outcome): void => {
    const tally = this.kinds.get(input.kind) ?? { answered: 0, cut: 0, left: 0 };
    tally[outcome]++;
    this.kinds.set(input.kind, tally);
    this.#onOver(input, outcome);
  };

  /** Findings that differ in their numbers alone are of one sort. */
  readonly report = (finding: Finding): void => {
    const sort = finding.what
      .replace(/"(requestId|time|ms)":[^,}]+/g, '')
      .replace(/\d+/g, 'N')
      .slice(0, SORT_LENGTH);
    const known = this.findings.get(sort);
    if (known === undefined) this.findings.set(sort, { first: finding, count: 1 });
    else known.count++;
  };

  /** Runs an input that needs no network; whatever it throws is a finding. */
  async run(input: Extract<Input, { carrier: 'none' }>): Promise<void> {
    const startedAt = performance.now();
    try {
      await input.run();
    } catch (error) {
      this.report({ index: input.index, what: `${input.kind}: ${(error as Error).stack}` });
    }
    const ms = performance.now() - startedAt;
    if (ms > this.slowest.ms) this.slowest = { index: input.index, kind: input.kind, ms };
    this.over(input, 'answered');
  }
}
