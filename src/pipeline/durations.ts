/**
 * How long calls took, as a histogram of Prometheus. The library's own makes a text of all labels with
 * every value; here a value is added to numbers that are there already.
 */
import Histogram from 'prom-client/lib/histogram.js';

type Labels = Readonly<Record<string, string>>;

/** The values of one set of labels. */
export class Durations {
  readonly #bounds: readonly number[];
  /** Values up to each bound and above the one before; last, those above all. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = [...bounds, Number.POSITIVE_INFINITY].map(() => 0);
  }

  add(value: number): void {
    let at = 0;
    for (const bound of this.#bounds) {
      if (value <= bound) break;
      at++;
    }
    (this.#counts[at] as number)++;
    this.#sum += value;
  }

  /** The samples of a histogram of this name. */
  samples(name: string, labels: Labels) {
    let count = 0;
    const buckets = this.#counts.map((each, at) => {
      count += each;
      const le = this.#bounds[at] ?? '+Inf';
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}

/** A histogram whose values are added to Durations. */
export class DurationHistogram extends Histogram {
  readonly #about: { readonly name: string; readonly help: string; readonly buckets: number[] };
  readonly #all: { readonly labels: Labels; readonly durations: Durations }[] = [];

  constructor(options: ConstructorParameters<typeof Histogram>[0] & { buckets: number[] }) {
    super(options);
    this.#about = options;
  }

  /** Where the values of these labels go; to be asked for once. */
  of(labels: Labels): Durations {
    const durations = new Durations(this.#about.buckets);
    this.#all.push({ labels, durations });
    return durations;
  }

  override async get() {
    const { name, help } = this.#about;
    const values = this.#all.flatMap(({ labels, durations }) => durations.samples(name, labels));
    return { ...{ name, help, values }, type: 'histogram', aggregator: 'sum' } as never;
  }

  /** What the library reads when it makes the page; its own samples are of another form. */
  getForPromString() {
    return this.get();
  }
}
