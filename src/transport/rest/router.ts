/** REST routes, read off the google.api.http options of the contract's methods. */
import { type DescMethod, type DescService, getOption, hasOption } from '@bufbuild/protobuf';
import { AppError } from '../../domain/errors.ts';
import { matchPath, type PathTemplate, parsePathTemplate } from '../../domain/path-template.ts';
import { http as httpOption } from '../../gen/google/api/annotations_pb.js';
import type { HttpRule } from '../../gen/google/api/http_pb.js';
import { method as methodContract } from '../../gen/propusk/contract/v1/contract_pb.js';

/** The verb of a route that takes all of them. */
const ANY_VERB = '*';

/** One way to reach a method over REST. */
export interface Binding {
  readonly method: DescMethod;
  /** `*`: any. */
  readonly verb: string;
  readonly template: PathTemplate;
  /** Which field the body is: `*` for all of them, empty for none. */
  readonly body: string;
  /** Which field the answer's body is; empty for all of it. */
  readonly responseBody: string;
  /** Names that are not known refuse the request. */
  readonly isStrict: boolean;
}

export interface Match {
  readonly binding: Binding;
  /** The path's variables by field path. */
  readonly variables: ReadonlyMap<string, string>;
}

function patternOf(rule: HttpRule): { verb: string; path: string } | undefined {
  const { pattern } = rule;
  if (pattern.case === undefined) return undefined;
  if (pattern.case === 'custom') return { verb: pattern.value.kind, path: pattern.value.path };
  return { verb: pattern.case.toUpperCase(), path: pattern.value };
}

function bindingsOf(method: DescMethod, read: typeof parsePathTemplate): Binding[] {
  if (!hasOption(method, httpOption)) return [];
  if (method.methodKind !== 'unary') throw new Error(`${method}: a stream has no REST route`);
  const rule = getOption(method, httpOption);
  const { strict: isStrict } = getOption(method, methodContract);
  return [rule, ...rule.additionalBindings].flatMap((each) => {
    const pattern = patternOf(each);
    if (pattern === undefined) return [];
    return {
      method,
      verb: pattern.verb,
      template: read(pattern.path),
      body: each.body,
      responseBody: each.responseBody,
      isStrict,
    };
  });
}

const NONE: readonly Binding[] = [];
const NO_VARIABLES: Match['variables'] = new Map();

/** Finds the method that a verb and path name. */
export class Router {
  /** Those with a literal path, by that path: it beats a template that fits it. */
  readonly #literal = new Map<string, Binding[]>();
  /** Those that must be tried one by one; of several that fit, the last of the contract counts. */
  readonly #templates: Binding[] = [];

  /** @param read reads the templates, which is theirs to say what they mean */
  constructor(services: readonly DescService[], read = parsePathTemplate) {
    const methods = services.flatMap((service) => service.methods);
    for (const binding of methods.flatMap((method) => bindingsOf(method, read))) {
      const { segments, verb } = binding.template;
      if (verb === '' && segments.every((segment) => segment.kind === 'literal')) {
        const path = `/${segments.map((s) => (s.kind === 'literal' ? s.text : '')).join('/')}`;
        this.#literal.set(path, [...(this.#literal.get(path) ?? []), binding]);
      } else {
        this.#templates.unshift(binding);
      }
    }
  }

  /** The literal parts of every route, such as `/v1/accounts/orders`. */
  literals(): string[] {
    const bindings = [...this.#literal.values(), this.#templates].flat();
    return bindings.map(({ template }) =>
      template.segments.map((s) => (s.kind === 'literal' ? `/${s.text}` : '')).join(''),
    );
  }

  /**
   * The match, or the verbs that the path knows instead (none: an unknown path).
   * @param path without its query
   */
  match(verb: string, path: string): Match | readonly string[] {
    const literal = this.#literal.get(path) ?? NONE;
    for (const binding of literal) {
      if (takes(binding, verb)) return { binding, variables: NO_VARIABLES };
    }
    const allowed = new Set(literal.map((binding) => binding.verb));
    for (const binding of this.#templates) {
      const variables = fit(binding, path);
      if (variables === undefined) continue;
      if (takes(binding, verb)) return { binding, variables };
      allowed.add(binding.verb);
    }
    return [...allowed].sort();
  }
}

function takes(binding: Binding, verb: string): boolean {
  return binding.verb === verb || binding.verb === ANY_VERB;
}

function fit(binding: Binding, path: string): Map<string, string> | undefined {
  try {
    return matchPath(binding.template, path);
  } catch {
    throw new AppError('INVALID_REQUEST', 'the path has a broken percent-encoding');
  }
}
