/** One rule: what the requests of one route need. */
import { type PathTemplate, parsePathTemplate, withLiterals } from '../domain/path-template.ts';
import { readLoosely, readRequestTarget } from '../domain/request-target.ts';
import { type QuoteLevel, QuoteLevelSchema } from '../gen/propusk/contract/v1/contract_pb.js';

/** What a caller must show and hold, from the least to the most. */
export const REQUIREMENTS = ['nothing', 'token', 'account', 'trade', 'market_data'] as const;
export type Requirement = (typeof REQUIREMENTS)[number];

export interface Rule {
  /** Its limit's name, such as `Bars`. */
  readonly name: string;
  /** `*`: any. */
  readonly verbs: readonly string[];
  /** A template of google.api.http. */
  readonly path: string;
  readonly requires: Requirement;
  /** The least level at which a market may be seen, for `market_data`. */
  readonly quoteLevel: QuoteLevel;
  /** By one key in any 60 seconds; 0: as many as it likes. */
  readonly callsPerMinute: number;
}

/** The levels that a rule may ask for, by their names. */
export const QUOTE_LEVELS: ReadonlyMap<string, QuoteLevel> = new Map(
  QuoteLevelSchema.values
    .filter(({ number }) => number !== 0)
    .map(({ name, number }) => [name, number as QuoteLevel]),
);

/** Names of fields. */
const VARIABLE = /^[a-z][a-z0-9_]{0,63}$/;
/** What the path must name, by what is required. */
const NAMED: Readonly<Partial<Record<Requirement, readonly string[]>>> = {
  account: ['account_id'],
  trade: ['account_id'],
  market_data: ['symbol', 'mic'],
};

/** What is wrong with a path, for what is required. */
export function pathFlaws(path: string, requires: Requirement | undefined): string[] {
  let template: PathTemplate;
  try {
    template = parsePathTemplate(path);
  } catch (error) {
    return [(error as Error).message];
  }
  const names = template.variables.map(({ fieldPath }) => fieldPath);
  const flaws: string[] = [];
  const target = readRequestTarget(sampleOf(template));
  if (typeof target === 'string') flaws.push(`path is never asked about: ${target}`);
  else if (target.query !== '') flaws.push('path has a query');
  const wrong = names.filter((name) => !VARIABLE.test(name));
  if (wrong.length > 0)
    flaws.push(`path has the variable ${wrong.join(', ')}, and takes snake_case`);
  if (new Set(names).size < names.length) flaws.push('path names a variable twice');
  const needed = requires && NAMED[requires];
  if (needed === undefined) return flaws;
  const found = template.variables.filter(({ fieldPath }) => needed.includes(fieldPath));
  const [one] = found;
  const isWhole = one !== undefined && one.to - one.from === 1;
  if (found.length !== 1 || !isWhole || template.segments[one.from]?.kind !== '*') {
    const which = needed.map((name) => `{${name}}`).join(' or ');
    flaws.push(`requires ${requires}, so its path must name ${which}, one segment`);
  }
  return flaws;
}

/** A path that fits the template. */
function sampleOf({ segments, verb }: PathTemplate): string {
  const parts = segments.map((segment) => (segment.kind === 'literal' ? segment.text : 'x'));
  return `/${parts.join('/')}${verb === '' ? '' : `:${verb}`}`;
}

/**
 * The same for templates that take the same paths, whatever their variables are called, and also where
 * they do to those alone who read loosely: to them one of the two is never asked about.
 */
export function shapeOf(path: string): string {
  const { segments, verb } = withLiterals(parsePathTemplate(path), readLoosely);
  const parts = segments.map((each) => (each.kind === 'literal' ? `=${each.text}` : each.kind));
  return JSON.stringify([parts, verb]);
}
