/** What a part of a run found, as the report shows it. */
import { type Contestant, median, type Ratio, type Round, ratioOf, type Window } from './rounds.ts';

/** A server's figures, and its share of another one's. */
export interface Row {
  readonly name: string;
  /** Answers a second, the median of the windows that count; undefined when none does. */
  readonly rate: number | undefined;
  readonly ratio: Ratio | undefined;
  readonly windows: readonly Window[];
}

export interface Section {
  readonly part: string;
  readonly title: string;
  /** ISO 8601. */
  readonly takenAt?: string;
  /** Whose rate the ratios are shares of. */
  readonly base?: string;
  readonly rows: readonly Row[];
  /** Anything else that was found; the name tells the unit. */
  readonly figures: Readonly<Record<string, number | string | undefined>>;
}

/** The rows of contestants that took part in the same rounds. */
export function rowsOf(
  contestants: readonly Contestant[],
  rounds: readonly Round[],
  base: string,
  isNoisy: boolean,
): Row[] {
  return contestants.map(({ name }) => {
    const windows = rounds.map((round) => round.get(name)).filter((one) => one !== undefined);
    const counted = windows.filter(
      ({ disturbance, rate }) => rate > 0 && (isNoisy || disturbance === undefined),
    );
    const rate = counted.length === 0 ? undefined : median(counted.map(({ rate }) => rate));
    const ratio = name === base ? undefined : ratioOf(rounds, [name, base], isNoisy);
    return { name, rate, ratio, windows };
  });
}

/** How noisy the machine was while these were taken. */
export interface Noise {
  /** Between the slowest and the fastest window of the base that count, over their median. */
  readonly baseSpread: number | undefined;
  /** Means of all windows, in shares of a core. */
  readonly others: number;
  readonly stolen: number;
  readonly windows: number;
  readonly disturbed: number;
}

export function noiseOf(rows: readonly Row[], base: string): Noise {
  const windows = rows.flatMap((row) => row.windows);
  const mean = (pick: (window: Window) => number | undefined) =>
    windows.reduce((sum, window) => sum + (pick(window) ?? 0), 0) / windows.length;
  const counted = rows
    .filter(({ name }) => name === base)
    .flatMap((row) => row.windows.filter(({ disturbance }) => disturbance === undefined))
    .map(({ rate }) => rate);
  const spread = (Math.max(...counted) - Math.min(...counted)) / median(counted);
  return {
    baseSpread: counted.length === 0 ? undefined : spread,
    others: mean(({ usage }) => usage?.others),
    stolen: mean(({ usage }) => usage?.stolen),
    windows: windows.length,
    disturbed: windows.filter(({ disturbance }) => disturbance !== undefined).length,
  };
}

export function percent(share: number, digits = 0): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** One ratio as people read it; with its interval where there is one. */
export function ratioText(ratio: Ratio | undefined): string {
  if (ratio === undefined) return 'disturbed';
  const digits = ratio.median < 1.995 ? 2 : 1;
  const [middle, low, high] = [ratio.median, ratio.low, ratio.high].map((one) =>
    one.toFixed(digits),
  );
  return Number.isNaN(ratio.low) ? `${middle}` : `${middle} (${low} to ${high})`;
}

/** A section as lines of text, as it is shown while the run goes on. */
export function linesOf({ title, base, rows, figures }: Section): string[] {
  const lines = [`== ${title}`];
  for (const { name, rate, ratio, windows } of rows) {
    const mean = (pick: (window: Window) => number | undefined) =>
      percent(windows.reduce((sum, one) => sum + (pick(one) ?? 0), 0) / windows.length);
    const share = name === base ? '' : `  ${ratioText(ratio)}`;
    lines.push(
      `${name.padEnd(26)} ${(rate?.toFixed(0) ?? '-').padStart(6)}/s${share}  [cores: server ` +
        `${mean(({ usage }) => usage?.server)}, load ${mean(({ usage }) => usage?.load)}]`,
    );
  }
  if (base !== undefined && rows.length > 0) {
    const { baseSpread, others, stolen, windows, disturbed } = noiseOf(rows, base);
    const spread =
      baseSpread === undefined ? 'none counts' : `they spread over ${percent(baseSpread)}`;
    lines.push(
      `noise: windows of ${base}: ${spread}; others used ${percent(others, 1)} of a core, ` +
        `${percent(stolen, 1)} were stolen; ${disturbed} of ${windows} windows do not count`,
    );
  }
  for (const [name, value] of Object.entries(figures)) {
    const shown = typeof value === 'number' ? Number(value.toPrecision(4)) : (value ?? 'disturbed');
    lines.push(`${name}: ${shown}`);
  }
  return lines;
}
