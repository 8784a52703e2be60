/**
 * The OpenAPI document of the REST routes, made from the descriptors: nobody writes it, so it
 * cannot differ from what is served.
 */
import {
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
} from '@bufbuild/protobuf';
import { httpStatusOf, type Reason } from '../domain/errors.ts';
import { http } from '../gen/google/api/annotations_pb.js';
import type { HttpRule } from '../gen/google/api/http_pb.js';
import { StatusSchema } from '../gen/google/rpc/status_pb.js';
import { Caller, method as methodContract } from '../gen/propusk/contract/v1/contract_pb.js';
import { documentedReasons, sampleOf } from '../pipeline/faults.ts';
import type { Comments } from './comments.ts';
import { isPlainMessage, type Schema, Schemas } from './openapi-schema.ts';
import { statusJson } from './rest/rest.ts';

/** Not by import; see http1-server.ts. */
const { STATUS_CODES } = process.getBuiltinModule('node:http');

/** The document's own head. */
export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
  /** Markdown. */
  readonly description?: string;
}

/** As much of a document as its readers here need to know. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: OpenApiInfo;
  readonly tags: readonly object[];
  /** Operations by path and verb. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes?: Readonly<Record<string, object>>;
  };
}

/** The verbs that a Path Item Object has room for. */
const VERBS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** What google.rpc.Status means here; its own comments are not in our image. */
const STATUS_COMMENTS: Comments = new Map([
  ['google.rpc.Status', 'What every failure answers, on every route.'],
  ['google.rpc.Status.code', 'The gRPC status code.'],
  ['google.rpc.Status.message', 'What is wrong and what to do, in English, for developers.'],
  [
    'google.rpc.Status.details',
    'The failure for programs: a google.rpc.ErrorInfo with its stable reason, and more details ' +
      'where they belong. A google.rpc.LocalizedMessage holds the sentence to show to users.',
  ],
]);

/** The tokens of methods whose callers show one in the header `authorization`. */
const SECURITY_SCHEMES = {
  token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  operator: { type: 'http', scheme: 'bearer', description: 'The token of an operator.' },
} as const;
type SchemeName = keyof typeof SECURITY_SCHEMES;

/** Which of the tokens a method asks for. */
function schemeOf(method: DescMethod): SchemeName | undefined {
  const { caller } = getOption(method, methodContract);
  if (caller === Caller.OPERATOR) return 'operator';
  return caller === Caller.AUTHORIZATION ? 'token' : undefined;
}

const TEMPLATE_VARIABLE = /\{([^}=]+)(?:=[^}]*)?\}/g;

/** One way to reach a method over REST. */
interface Route {
  readonly method: DescMethod;
  readonly verb: string;
  /** The template with its variables' patterns taken off: `/v1/{name}` for `/v1/{name=a/*}`. */
  readonly path: string;
  /** The fields that the path holds, as the template names them. */
  readonly variables: readonly string[];
  readonly rule: HttpRule;
  readonly operationId: string;
}

function routeOf(method: DescMethod, rule: HttpRule, index: number): Route | undefined {
  const { pattern } = rule;
  if (pattern.case === undefined) return undefined;
  const isCustom = pattern.case === 'custom';
  const verb = (isCustom ? pattern.value.kind : pattern.case).toLowerCase();
  if (!VERBS.includes(verb)) return undefined;
  const template = isCustom ? pattern.value.path : pattern.value;
  return {
    method,
    verb,
    path: template.replace(TEMPLATE_VARIABLE, '{$1}'),
    variables: [...template.matchAll(TEMPLATE_VARIABLE)].map(([, name = '']) => name),
    rule,
    operationId: `${method.parent.name}_${method.name}${index === 0 ? '' : index + 1}`,
  };
}

/** REST carries unary methods only. */
function routesOf(service: DescService): Route[] {
  return service.methods.flatMap((method) => {
    if (method.methodKind !== 'unary' || !hasOption(method, http)) return [];
    const rule = getOption(method, http);
    const routes = [rule, ...rule.additionalBindings].map((r, index) => routeOf(method, r, index));
    return routes.filter((route) => route !== undefined);
  });
}

/** Finds the field that a template or `body` names, dotted for nested ones. */
function fieldAt(message: DescMessage, name: string): DescField {
  let parent: DescMessage | undefined = message;
  let field: DescField | undefined;
  for (const part of name.split('.')) {
    field = parent?.fields.find((candidate) => candidate.name === part);
    parent = field?.fieldKind === 'message' ? field.message : undefined;
  }
  if (field === undefined) throw new Error(`${message.typeName} has no field ${name}`);
  return field;
}

/** A comment's first sentence, or its first line, and what follows it. */
function summarize(comment: string | undefined): { summary?: string; description?: string } {
  const found = /^(.+?)(?:\.(?=\s|$)|(?=\n|$))\s*([\s\S]*)$/.exec(comment ?? '');
  if (found === null) return {};
  const [, summary = '', description = ''] = found;
  return { summary, ...(description !== '' && { description }) };
}

function json(schema: Schema, more: object = {}): object {
  return { 'application/json': { schema, ...more } };
}

/** The Status that a caller would see for a reason. */
function exampleOf(reason: Reason): object {
  const message = reason.toLowerCase().replaceAll('_', ' ');
  return { value: JSON.parse(statusJson(sampleOf(reason, message))) };
}

/** The sentences that the documents give for a status, or what HTTP calls it. */
function describeFailure(status: number, reasons: readonly Reason[]): string {
  const sentences = reasons.map((reason) => sampleOf(reason, '').sentence);
  const known = new Set(sentences.filter((sentence) => sentence !== undefined));
  if (known.size > 0) return [...known].join('\n\n');
  return `${STATUS_CODES[status]}: ${reasons.map((reason) => `\`${reason}\``).join(', ')}`;
}

/** Writes the operations of one document. */
class Writer {
  readonly #schemas: Schemas;
  readonly #comments: Comments;

  constructor(schemas: Schemas, comments: Comments) {
    this.#schemas = schemas;
    this.#comments = comments;
  }

  operation(route: Route): object {
    const { method } = route;
    const scheme = schemeOf(method);
    const parameters = [...this.#pathParameters(route), ...this.#queryParameters(route)];
    const requestBody = this.#requestBody(route);
    return {
      tags: [method.parent.name],
      ...summarize(this.#comments.get(`${method.parent.typeName}.${method.name}`)),
      operationId: route.operationId,
      ...(scheme !== undefined && { security: [{ [scheme]: [] }] }),
      ...(parameters.length > 0 && { parameters }),
      ...(requestBody !== undefined && { requestBody }),
      responses: this.#responses(route),
      ...(method.deprecated && { deprecated: true }),
    };
  }

  #parameter(where: 'path' | 'query', name: string, field: DescField): object {
    const { description, deprecated, ...schema } = this.#schemas.property(field);
    return {
      name,
      in: where,
      ...(where === 'path' && { required: true }),
      ...(description !== undefined && { description }),
      ...(deprecated === true && { deprecated }),
      schema,
    };
  }

  #pathParameters({ method, variables }: Route): object[] {
    return variables.map((name) => this.#parameter('path', name, fieldAt(method.input, name)));
  }

  /** What neither the path nor the body holds: everything that a query can spell. */
  #queryParameters({ method, variables, rule }: Route): object[] {
    if (rule.body === '*') return [];
    const taken = new Set([...variables, rule.body]);
    const walk = (message: DescMessage, prefix: string, above: readonly DescMessage[]): object[] =>
      message.fields.flatMap((field) => {
        const name = prefix + field.name;
        if (taken.has(name) || field.fieldKind === 'map') return [];
        const inner = field.message;
        if (inner === undefined || !isPlainMessage(inner)) {
          return [this.#parameter('query', name, field)];
        }
        if (field.fieldKind === 'list' || above.includes(inner)) return [];
        return walk(inner, `${name}.`, [...above, inner]);
      });
    return walk(method.input, '', [method.input]);
  }

  /** Not called required, since an empty body reads as `{}`. */
  #requestBody({ method, variables, rule }: Route): object | undefined {
    if (rule.body === '') return undefined;
    const { input } = method;
    if (rule.body !== '*') {
      return { content: json(this.#schemas.property(fieldAt(input, rule.body))) };
    }
    const schema =
      variables.length > 0
        ? this.#schemas.object(input, new Set(variables))
        : this.#schemas.ref(input);
    return { content: json(schema) };
  }

  #responses({ method, rule }: Route): object {
    const { output } = method;
    const good =
      rule.responseBody === ''
        ? this.#schemas.ref(output)
        : this.#schemas.property(fieldAt(output, rule.responseBody));
    const status = this.#schemas.ref(StatusSchema);
    const byStatus = Map.groupBy(new Set(documentedReasons(method)), httpStatusOf);
    const failures = [...byStatus].map(([code, reasons]) => [
      code,
      {
        description: describeFailure(code, reasons),
        content: json(status, {
          examples: Object.fromEntries(reasons.map((reason) => [reason, exampleOf(reason)])),
        }),
      },
    ]);
    // Keys that are numbers come first and in order, whatever the order of their insertion.
    return {
      200: { description: 'A successful response.', content: json(good) },
      ...Object.fromEntries(failures),
      default: { description: 'An unexpected error response.', content: json(status) },
    };
  }
}

/**
 * The OpenAPI 3.1 document of the services' REST routes.
 * @param services what is served; methods without a route are left out
 * @param comments of the proto files, see readComments
 * @throws if a route names a field that its message does not have, or two routes are the same
 */
export function openapi(
  services: readonly DescService[],
  comments: Comments,
  info: OpenApiInfo,
): OpenApiDocument {
  const said: Comments = new Map([...STATUS_COMMENTS, ...comments]);
  const routes = services.flatMap(routesOf);
  const messages = routes.flatMap(({ method }) => [method.input, method.output]);
  const schemas = new Schemas([...messages, StatusSchema], said);
  const writer = new Writer(schemas, said);
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const item = paths[route.path] ?? {};
    if (item[route.verb] !== undefined) {
      throw new Error(`${route.verb.toUpperCase()} ${route.path} leads to two methods`);
    }
    paths[route.path] = { ...item, [route.verb]: writer.operation(route) };
  }
  const routed = new Set(routes.map(({ method }) => method.parent));
  const tags = [...routed].map((service) => {
    const description = said.get(service.typeName);
    return { name: service.name, ...(description !== undefined && { description }) };
  });
  const asked = new Set(routes.map(({ method }) => schemeOf(method)));
  const schemes = Object.entries(SECURITY_SCHEMES).filter(([name]) =>
    asked.has(name as SchemeName),
  );
  const components = {
    schemas: schemas.components(),
    ...(schemes.length > 0 && { securitySchemes: Object.fromEntries(schemes) }),
  };
  return { openapi: '3.1.1', info, tags, paths, components };
}
