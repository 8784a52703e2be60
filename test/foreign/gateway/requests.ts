/** Requests for every route of the wide contract, with paths, queries and bodies of all kinds. */
import { getOption } from '@bufbuild/protobuf';
import fc from 'fast-check';
import type { Reason } from '../../../src/domain/errors.ts';
import { http as httpOption } from '../../../src/gen/google/api/annotations_pb.js';
import type { Asked } from './ask.ts';
import { brokenBodies, fieldJson, messageJson } from './bodies.ts';
import { fieldAt, paths, type Route } from './paths.ts';
import { queries } from './queries.ts';
import { WideService } from './server.ts';
import { mostly, texts } from './values.ts';

/** Every route, read here anew: what is tested must not say what it is tested with. */
const ROUTES: readonly Route[] = WideService.methods.flatMap((method) => {
  const rule = getOption(method, httpOption);
  return [rule, ...rule.additionalBindings].map(({ pattern, body }) => {
    if (pattern.case === 'custom') {
      return { method, verb: pattern.value.kind, path: pattern.value.path, body };
    }
    return { method, verb: pattern.case?.toUpperCase() ?? '', path: pattern.value ?? '', body };
  });
});

/** What a method without a body is sent all the same. */
const ignoredBodies = fc.constantFrom<string | Uint8Array>('{', '{"text":"a"}', Buffer.of(0xff));

function bodies({ method, body }: Route): fc.Arbitrary<string | Uint8Array> {
  const { input } = method;
  if (body === '*') return mostly<string | Uint8Array>(messageJson(input), fc.constant(''));
  if (body === '') return mostly<string | Uint8Array>(fc.constant(''), ignoredBodies, 6);
  const blanks = fc.constantFrom('', ' ', '{}');
  return mostly<string | Uint8Array>(fieldJson(fieldAt(input, body)), blanks);
}

function requestsOf(route: Route): fc.Arbitrary<Asked> {
  const held = [...route.path.matchAll(/\{([\w.]+)/g)].map(([, name = '']) => name);
  const query = fc.oneof(fc.constant(''), queries(route.method.input, held));
  return fc.record({
    verb: fc.constant(route.verb),
    target: fc.tuple(paths(route), query).map(([path, text]) => path + text),
    body: bodies(route),
  });
}

function routeOf(verb: string, path: string): Route {
  const found = ROUTES.find((route) => route.verb === verb && route.path === path);
  if (found === undefined) throw new Error(`no route ${verb} ${path}`);
  return found;
}

/** Any route, whatever fits it. */
export const anyRequests: fc.Arbitrary<Asked> = fc
  .constantFrom(...ROUTES.filter(({ method }) => method.name !== 'Fail'))
  .chain((route) => requestsOf(route));

/** Verbs that the path does not know. */
export const wrongVerbs: fc.Arbitrary<Asked> = fc
  .tuple(anyRequests, fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'))
  .map(([asked, verb]) => ({ ...asked, verb }))
  // Go's HTTP server answers such a request with a body, which HEAD must not have.
  .filter(({ verb, target }) => verb !== 'HEAD' || !/%(?![0-9a-f]{2})/i.test(target));

/** Queries of the method whose fields they all may set. */
export const queryRequests: fc.Arbitrary<Asked> = queries(
  routeOf('GET', '/v1/wide').method.input,
).map((query) => ({ verb: 'GET', target: `/v1/wide${query}` }));

/** Bodies of the method that takes them whole. */
export const bodyRequests: fc.Arbitrary<Asked> = messageJson(
  routeOf('POST', '/v1/wide').method.input,
).map((body) => ({ verb: 'POST', target: '/v1/wide', body }));

export const brokenRequests: fc.Arbitrary<Asked> = fc
  .tuple(
    fc.constantFrom('/v1/wide', '/v1/wide/known', '/v1/answers/item'),
    brokenBodies(routeOf('POST', '/v1/wide').method.input),
  )
  .map(([target, body]) => ({ verb: 'POST', target, body }));

/** Bodies that are said to be something else than JSON. */
export const otherTypes: fc.Arbitrary<Asked> = fc
  .tuple(
    anyRequests,
    fc.constantFrom(
      ...['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'],
      ...['application/octet-stream', 'nonsense', 'a/b; c', 'application/json; charset=utf-16'],
    ),
  )
  .map(([asked, type]) => ({ ...asked, type }));

/** The reasons for which a service may refuse, and which have no HTTP status of their own. */
const REASONS: readonly Reason[] = [
  ...(['INVALID_REQUEST', 'SECRET_INVALID', 'TOKEN_INVALID', 'ACCOUNT_NOT_IN_TOKEN'] as const),
  ...([
    'RATE_LIMITED',
    'METHOD_NOT_FOUND',
    'INTERNAL',
    'UNAVAILABLE',
    'DEADLINE_EXCEEDED',
  ] as const),
  'CANCELLED',
];

/** What the service itself refuses. */
export const failureRequests: fc.Arbitrary<Asked> = fc
  .record(
    {
      reason: fc.constantFrom(...REASONS),
      // The gateway puts it into a header, as it is.
      message: fc.stringMatching(/^[ -~]*$/),
      metadata: fc.dictionary(texts, texts, { maxKeys: 2 }),
      fields: fc.array(texts, { maxLength: 2 }),
      limit_per_minute: fc.nat(),
      retry_after_ms: fc.nat(),
    },
    { requiredKeys: ['reason', 'message'] },
  )
  .map((body) => ({ verb: 'POST', target: '/v1/failures', body: JSON.stringify(body) }));
