/** From a method and its message to a REST request, by the route that the contract gives it. */
import {
  type DescMethodUnary,
  getOption,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  toJson,
} from '@bufbuild/protobuf';
import { http as httpOption } from '../src/gen/google/api/annotations_pb.js';
import type { HttpRequest } from './http.ts';

/** Takes a field out of a message's JSON by its path, such as `client.id`; undefined where it is not. */
function take(json: JsonObject, path: string): JsonValue | undefined {
  const [name = '', ...rest] = path.split('.');
  const value = json[name];
  if (rest.length > 0) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? take(value, rest.join('.')) : undefined;
  }
  delete json[name];
  return value;
}

/** A message's JSON as a query: dotted names, repeated ones as often as they have values. */
function* parameters(json: JsonObject, prefix = ''): Generator<[string, string]> {
  for (const [name, value] of Object.entries(json)) {
    const path = prefix + name;
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one === 'object' && one !== null) yield* parameters(one as JsonObject, `${path}.`);
      else yield [path, String(one)];
    }
  }
}

interface Route {
  readonly verb: string;
  readonly path: string;
  /** `*`, the name of a field, or empty. */
  readonly body: string;
}

/** Reading an option costs more than all else that is done for a call. */
const routes = new Map<DescMethodUnary, Route>();

function routeOf(method: DescMethodUnary): Route {
  const known = routes.get(method);
  if (known !== undefined) return known;
  const { pattern, body } = getOption(method, httpOption);
  if (typeof pattern.value !== 'string') throw new Error(`${method} has no route`);
  const route = { verb: pattern.case?.toUpperCase() ?? '', path: pattern.value, body };
  routes.set(method, route);
  return route;
}

/** What to send so that `method` gets `input`. */
export function requestOf<M extends DescMethodUnary>(
  method: M,
  input: MessageShape<M['input']>,
): HttpRequest {
  const { verb, path: template, body } = routeOf(method);
  const json = toJson(method.input, input, { useProtoFieldName: true }) as JsonObject;
  const path = template.replace(/\{([\w.]+)\}/g, (_, field: string) =>
    encodeURIComponent(String(take(json, field) ?? '')),
  );
  if (body === '*') return { verb, target: path, body: JSON.stringify(json) };
  const content = body === '' ? undefined : JSON.stringify(take(json, body) ?? {});
  const query = new URLSearchParams([...parameters(json)]).toString();
  return { verb, target: query === '' ? path : `${path}?${query}`, body: content };
}
