/** The rules file: which requests may be asked about beside those of the contract, and what they need. */
import { isNode, LineCounter, parseDocument } from 'yaml';
import {
  pathFlaws,
  QUOTE_LEVELS,
  REQUIREMENTS,
  type Requirement,
  type Rule,
  shapeOf,
} from './rule.ts';

/** As many as one can look through. */
const RULES_MAX = 1000;
/** As RPCs are named, which rules are counted with. */
const NAME = /^[A-Z][A-Za-z0-9]{0,63}$/;
const VERB = /^(?:[A-Z][A-Z-]{0,31}|\*)$/;
const CALLS_MAX = 1e9;
/** What every method of the contract has. */
const CALLS_PER_MINUTE = 200;
const KNOWN = ['name', 'method', 'path', 'requires', 'quote_level', 'calls_per_minute'];

export interface ReadRules {
  /** In the order of the file. */
  readonly rules: readonly Rule[];
  /** What is wrong, a line each: file, line, rule and flaw. */
  readonly flaws: readonly string[];
}

/**
 * Reads a file's text, YAML or JSON.
 * @param file its name, for people
 * @param taken names that rules may not have
 */
export function readRules(text: string, file: string, taken: ReadonlySet<string>): ReadRules {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => `${file}:${lines.linePos(offset).line}:`;
  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0) {
    return { rules: [], flaws: syntax.map(({ pos, message }) => `${lineAt(pos[0])} ${message}`) };
  }
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    // An alias of nothing, or so many that they are meant to fill the memory.
    return { rules: [], flaws: [`${file}: ${(error as Error).message}`] };
  }
  const flaws = topFlaws(content).map((flaw) => `${file}: ${flaw}`);
  const list: unknown = isObject(content) ? content.rules : undefined;
  const rules: Rule[] = [];
  const seen = new Seen(taken);
  for (const [i, value] of (Array.isArray(list) ? list : []).slice(0, RULES_MAX).entries()) {
    const reader = new RuleReader(value);
    const { rule } = reader;
    const node = document.getIn(['rules', i], true);
    const at = isNode(node) && node.range != null ? lineAt(node.range[0]) : `${file}:`;
    const own = [...reader.flaws, ...seen.flaws(reader.name, rule)];
    flaws.push(...own.map((flaw) => `${at} rule ${reader.name ?? i + 1}: ${flaw}`));
    if (rule !== undefined && own.length === 0) rules.push(rule);
  }
  return { rules, flaws };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function topFlaws(content: unknown): string[] {
  if (!isObject(content)) return ['must have version: 1 and rules'];
  const flaws = Object.keys(content)
    .filter((name) => name !== 'version' && name !== 'rules')
    .map((name) => `${name} is not known here; known are version, rules`);
  if (content.version !== 1) flaws.push('version must be 1');
  if (!Array.isArray(content.rules)) flaws.push('rules must be a list');
  else if (content.rules.length > RULES_MAX) flaws.push(`rules has over ${RULES_MAX}`);
  return flaws;
}

/** What earlier rules have taken. */
class Seen {
  readonly #names: Set<string>;
  /** The name of the rule by verb and shape. */
  readonly #routes = new Map<string, string>();

  constructor(taken: ReadonlySet<string>) {
    this.#names = new Set(taken);
  }

  flaws(name: string | undefined, rule: Rule | undefined): string[] {
    const flaws: string[] = [];
    if (name !== undefined && this.#names.has(name)) {
      flaws.push('its name is taken, and with it the limit of that name; choose another');
    }
    if (name !== undefined) this.#names.add(name);
    for (const verb of rule?.verbs ?? []) {
      const route = `${verb} ${shapeOf(rule?.path ?? '')}`;
      const before = this.#routes.get(route);
      if (before !== undefined) flaws.push(`${verb} of this path is rule ${before}'s already`);
      else this.#routes.set(route, name ?? '');
    }
    return flaws;
  }
}

/** Reads one rule, and gathers what is wrong with it. */
class RuleReader {
  readonly flaws: string[] = [];
  /** Where it has one that can be told. */
  readonly name: string | undefined;
  /** undefined where something is wrong. */
  readonly rule: Rule | undefined;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    this.#fields = isObject(value) ? value : {};
    if (!isObject(value)) {
      this.flaws.push('must be names with values');
      return;
    }
    for (const name of Object.keys(value).filter((each) => !KNOWN.includes(each))) {
      this.flaws.push(`${name} is not known here; known are ${KNOWN.join(', ')}`);
    }
    this.name = this.#text('name', NAME, 'such as OrderBook: a capital letter, letters, digits');
    const verbs = this.#verbs();
    const requires = this.#choice('requires', REQUIREMENTS) as Requirement | undefined;
    const path = this.#text('path', /^/, 'a path template');
    if (path !== undefined) this.flaws.push(...pathFlaws(path, requires));
    const quoteLevel = this.#quoteLevel(requires);
    const callsPerMinute = this.#callsPerMinute(requires);
    if (this.flaws.length > 0 || this.name === undefined) return;
    if (requires === undefined || path === undefined) return;
    this.rule = { name: this.name, verbs, path, requires, quoteLevel, callsPerMinute };
  }

  #text(field: string, pattern: RegExp, what: string): string | undefined {
    const value = this.#fields[field];
    if (typeof value === 'string' && pattern.test(value)) return value;
    this.flaws.push(`${field} ${value === undefined ? 'is missing' : `must be ${what}`}`);
    return undefined;
  }

  #choice(field: string, choices: readonly string[]): string | undefined {
    const value = this.#fields[field];
    if (typeof value === 'string' && choices.includes(value)) return value;
    const flaw = value === undefined ? 'is missing; it is' : 'must be';
    this.flaws.push(`${field} ${flaw} one of ${choices.join(', ')}`);
    return undefined;
  }

  #verbs(): string[] {
    const { method } = this.#fields;
    const verbs: unknown[] = Array.isArray(method) ? method : [method];
    const isRead = verbs.every((verb) => typeof verb === 'string' && VERB.test(verb));
    const isUnique = new Set(verbs).size === verbs.length;
    if (method === undefined) this.flaws.push('method is missing');
    else if (!isRead || !isUnique || verbs.length === 0) {
      this.flaws.push('method must be such as GET, [POST, PUT] or "*"');
    }
    return isRead ? (verbs as string[]) : [];
  }

  #quoteLevel(requires: Requirement | undefined): Rule['quoteLevel'] {
    if (this.#fields.quote_level === undefined) return 0;
    const name = this.#choice('quote_level', [...QUOTE_LEVELS.keys()]);
    if (requires !== undefined && requires !== 'market_data') {
      this.flaws.push('quote_level goes with requires: market_data alone');
    }
    return QUOTE_LEVELS.get(name ?? '') ?? 0;
  }

  #callsPerMinute(requires: Requirement | undefined): number {
    const { calls_per_minute: calls = requires === 'nothing' ? 0 : CALLS_PER_MINUTE } =
      this.#fields;
    const isCount = typeof calls === 'number' && Number.isInteger(calls);
    if (!isCount || calls < 0 || calls > CALLS_MAX) {
      this.flaws.push(`calls_per_minute must be a whole number from 0 to ${CALLS_MAX}`);
      return 0;
    }
    if (requires === 'nothing' && calls > 0) {
      this.flaws.push('calls_per_minute would count for nobody, since nothing is required');
    }
    return calls;
  }
}
