/** What a run leaves behind: the figures as JSON, a table, and the chart of the README. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Bar, chart } from './chart.ts';
import { type Noise, noiseOf, percent, ratioText, type Section } from './section.ts';

const FOLDER = path.join(import.meta.dirname, 'results');
const PEERS = path.join(import.meta.dirname, 'peers', 'package.json');
const README = path.join(import.meta.dirname, '..', 'README.md');
/** What is between them in the README is the newest run's. */
const MARKS = ['<!-- bench: begin -->', '<!-- bench: end -->'] as const;

export interface Run {
  /** ISO 8601. */
  readonly startedAt: string;
  readonly machine: string;
  readonly keys: number;
  readonly pastSessions: number;
  readonly isNoisy: boolean;
  readonly sections: readonly Section[];
}

export interface Parts {
  /** Names of those that were taken. */
  readonly taken: readonly string[];
  /** Of all there are, in their order. */
  readonly all: readonly string[];
  /** They take their places in results of the same day and terms, and are nothing without. */
  readonly areAgain: boolean;
}

/** Writes all of it, beside what the day's results of the same terms have of other parts; answers the files. */
export function report(found: Run, { taken, all, areAgain }: Parts): string[] {
  mkdirSync(FOLDER, { recursive: true });
  const name = path.join(FOLDER, found.startedAt.slice(0, 10));
  const before = sectionsIn(`${name}.json`, found);
  if (areAgain && before.length === 0) return [];
  const kept = before.filter((section) => !taken.some((part) => isOf(section, part)));
  const place = (section: Section) => all.findIndex((part) => isOf(section, part));
  const sections = [...kept, ...found.sections].sort((a, b) => place(a) - place(b));
  const run = { ...found, sections };
  const { dependencies } = JSON.parse(readFileSync(PEERS, 'utf8'));
  writeFileSync(`${name}.json`, `${JSON.stringify({ ...run, peers: dependencies }, rounded, 2)}\n`);
  const table = tableOf(run);
  writeFileSync(`${name}.md`, `# Benchmark of ${run.startedAt.slice(0, 10)}\n\n${table}`);
  const groups = chartGroups(run.sections);
  if (groups.length === 0) return [`${name}.json`, `${name}.md`];
  const svg = path.join(FOLDER, 'chart.svg');
  writeFileSync(svg, chart(groups, `${run.machine}; ${run.startedAt.slice(0, 10)}`));
  writeFileSync(README, between(readFileSync(README, 'utf8'), readmeText(run)));
  return [`${name}.json`, `${name}.md`, svg, README];
}

/** What a file of results holds, if it is of the same terms. */
function sectionsIn(file: string, { machine, keys, pastSessions }: Run): readonly Section[] {
  if (!existsSync(file)) return [];
  const run: Run = JSON.parse(readFileSync(file, 'utf8'));
  const isAlike = run.machine === machine && run.keys === keys && run.pastSessions === pastSessions;
  return isAlike ? run.sections : [];
}

/** `grpc-4x16` is of `grpc`. */
function isOf(section: Section, part: string): boolean {
  return section.part === part || section.part.startsWith(`${part}-`);
}

/** The chart, and where its figures are. */
function readmeText({ startedAt, machine }: Run): string {
  const day = startedAt.slice(0, 10);
  return [
    '',
    '![Calls a second on one core, as shares of what bare Node does](bench/results/chart.svg)',
    '',
    `Measured on ${day}: ${machine}. All figures are in [bench/results/${day}.md](bench/results/${day}.md).`,
    '',
  ].join('\n');
}

/** Nobody reads more digits than five. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value;
}

/** All sections as tables in Markdown. */
function tableOf({ machine, keys, pastSessions, isNoisy, sections }: Run): string {
  const facts = `${machine}. ${keys} keys and ${pastSessions} past sessions in the database.`;
  const warning = isNoisy ? ' Windows that were disturbed count: figures for development.' : '';
  return `${[`${facts}${warning}`, ...sections.flatMap(sectionText)].join('\n\n')}\n`;
}

function sectionText({ title, takenAt, base, rows, figures }: Section): string[] {
  const parts = [`## ${title}`];
  if (takenAt !== undefined) parts.push(`Taken at ${takenAt.slice(11, 16)} UTC.`);
  if (rows.length > 0) {
    const lines = rows.map(({ name, rate, ratio }) => {
      const share = name === base ? '1' : ratioText(ratio);
      return `| ${name} | ${rate === undefined ? 'disturbed' : thousands(rate)} | ${share} |`;
    });
    parts.push(
      [`| server | calls/s | share of ${base} (95 %) |`, '| --- | --- | --- |', ...lines].join(
        '\n',
      ),
    );
  }
  if (base !== undefined && rows.length > 0) parts.push(noiseText(noiseOf(rows, base)));
  const found = Object.entries(figures);
  if (found.length > 0) {
    const lines = found.map(([name, value]) => `| ${name} | ${shown(value)} |`);
    parts.push(['| what | figure |', '| --- | --- |', ...lines].join('\n'));
  }
  return parts;
}

function noiseText({ baseSpread, others, stolen, windows, disturbed }: Noise): string {
  const spread =
    baseSpread === undefined ? '' : ` The bare windows spread over ${percent(baseSpread)}.`;
  return `${disturbed} of ${windows} windows were disturbed and do not count.${spread} Others used ${percent(others, 1)} of a core, ${percent(stolen, 1)} were stolen.`;
}

function shown(value: number | string | undefined): string {
  if (typeof value !== 'number') return value ?? 'disturbed';
  return value >= 1000 ? thousands(value) : String(Number(value.toPrecision(3)));
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** The comparisons that the chart shows, with the bars that have a figure. */
function chartGroups(sections: readonly Section[]): { title: string; bars: Bar[] }[] {
  const wanted = sections.filter(({ part }) => part === 'rest' || part.startsWith('grpc'));
  const groups = wanted.map(({ title, base, rows }) => ({
    title,
    bars: rows.flatMap(({ name, rate, ratio }): Bar[] => {
      const share = name === base ? 1 : ratio?.median;
      if (share === undefined || rate === undefined) return [];
      const kind = name === base ? 'limit' : name.startsWith('Propusk') ? 'ours' : 'peer';
      return [{ name, share, label: `${share.toFixed(2)}  (${thousands(rate)}/s)`, kind }];
    }),
  }));
  return groups.filter(({ bars }) => bars.length > 1);
}

/** Puts a text between the marks of a document, where it has them. */
function between(document: string, text: string): string {
  const [begin, end] = MARKS.map((mark) => document.indexOf(mark));
  if (begin === undefined || end === undefined || begin < 0 || end < begin) return document;
  return `${document.slice(0, begin + MARKS[0].length)}\n${text}\n${document.slice(end)}`;
}
