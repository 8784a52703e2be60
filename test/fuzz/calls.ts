/** Requests whose form is right and whose contents are not: for either version of HTTP to carry. */
import { type DescMethod, getOption, hasOption } from '@bufbuild/protobuf';
import { http as httpOption } from '../../src/gen/google/api/annotations_pb.js';
import { ServerReflection } from '../../src/gen/grpc/reflection/v1/reflection_pb.js';
import { AuthService } from '../../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { OrdersService } from '../../src/gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { Health } from '../../src/gen/health/v1/health_pb.js';
import { Caller, method as methodContract } from '../../src/gen/propusk/contract/v1/contract_pb.js';
import { EchoService } from '../echo-contract.ts';
import { grpcBody } from './grpc-frames.ts';
import { jsonBody } from './json.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import { ACCOUNT, HEADER_NAMES, headerValue, numeral, TOKEN_MARK, text } from './values.ts';

export type Header = readonly [name: string, value: string];

export interface CallInput {
  readonly verb: string;
  readonly target: string;
  readonly headers: readonly Header[];
  readonly body: Buffer;
  /** False where no answer need come: a stream that rests. */
  readonly isAnswered: boolean;
}

/** `Fail` answers INTERNAL on purpose. */
const SERVICES = [AuthService, AuthService, EchoService, EchoService, Health, ServerReflection];
const METHODS = [...SERVICES, OrdersService]
  .flatMap((service) => service.methods as readonly DescMethod[])
  .filter((method) => method.name !== 'Fail');

/** Streams that may rest for as long as their caller lets them. */
const RESTING = [
  ...['SubscribeJwtRenewal', 'SilentStream', 'Watch', 'Silent'],
  ...['SubscribeOrders', 'SubscribeTrades'],
];

interface Route {
  readonly method: DescMethod;
  readonly verb: string;
  readonly path: string;
}

const ROUTES: readonly Route[] = METHODS.flatMap((method) => {
  if (!hasOption(method, httpOption)) return [];
  const rule = getOption(method, httpOption);
  return [rule, ...rule.additionalBindings].flatMap(({ pattern }) => {
    if (pattern.case === undefined) return [];
    if (pattern.case === 'custom') {
      return [{ method, verb: pattern.value.kind, path: pattern.value.path }];
    }
    return [{ method, verb: pattern.case.toUpperCase(), path: pattern.value }];
  });
});

const VERBS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'REPORT'];
const PAGES = ['/healthz', '/readyz', '/openapi.json', '/docs', '/favicon.ico', '*', '//', '/%'];
const PATH_WORDS = ['/', '//', '..', '%2f', '%', '%ff', ':', '?', '#', ';', '*', '{', '\\'].map(
  (word) => Buffer.from(word),
);

/** Text that stays one piece of a request line; whatever it was before. */
function forTarget(value: string): string {
  return Buffer.from(value)
    .toString('latin1')
    .replace(/[^!-~]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function segment(random: Random): string {
  return random.weighted<() => string>([
    [4, () => encodeURIComponent(text(random).slice(0, 40).toWellFormed())],
    [2, () => numeral(random).slice(0, 40)],
    [1, () => random.pick(['', '%', '%2F', '%ff', '%e2%82', '..', 'COLOR_RED', 'true'])],
    [1, () => text(random).slice(0, 40).replace(/[/?]/g, '')],
  ])();
}

function pathOf(random: Random, template: string): string {
  const filled = template
    .replace('{account_id}', (name) => (random.oneIn(5) ? name : ACCOUNT))
    .replace(/\{[\w.]+(?:=([^}]*))?\}/g, (_, pattern?: string) => pattern ?? '*')
    .replace(/\*\*/g, () => random.list(random.below(5), () => segment(random)).join('/'))
    .replace(/\*/g, () => segment(random));
  return random.oneIn(12)
    ? mutate(random, Buffer.from(filled), PATH_WORDS).toString('latin1')
    : filled;
}

/** Query parameters: the method's own fields, nested ones, unknown ones. */
function queryOf(random: Random, { input }: DescMethod): string {
  if (!random.oneIn(2)) return '';
  const names = [...input.fields.map(({ name }) => name), ...input.fields.map((f) => f.jsonName)];
  const pairs = random.list(random.length(300), () => {
    const name = random.weighted([
      [6, random.pick([...names, 'unknown'])],
      [2, `item.${random.pick(['name', 'amount', 'parts', 'inner.inner.name', 'color', '', '.'])}`],
      [1, 'inner.'.repeat(random.below(200))],
      [1, random.pick(['__proto__', '__proto__.x', 'constructor.name', '%', 'a%'])],
    ]);
    return `${name}${random.pick(['=', '=', '=', '', '=='])}${segment(random)}`;
  });
  return `?${pairs.join('&')}`;
}

/** Header lines that go with the rest, each now and then. */
function extras(random: Random, oneIn: number): Header[] {
  if (!random.oneIn(oneIn)) return [];
  return random.list(random.between(1, 4), () => {
    const name = random.pick(HEADER_NAMES);
    return [name, headerValue(random, name)] as const;
  });
}

/** The genuine token, mostly, where the method's callers show one. */
function authorization(random: Random, method: DescMethod): Header[] {
  const isShown = getOption(method, methodContract).caller === Caller.AUTHORIZATION;
  return isShown && !random.oneIn(8) ? [['authorization', `Bearer ${TOKEN_MARK}`]] : [];
}

/** REST: bodies, paths and queries. */
export function restCall(random: Random, service?: string): CallInput {
  const routes = ROUTES.filter(
    ({ method }) => service === undefined || method.parent.name === service,
  );
  const route = random.pick(routes);
  const verb = random.oneIn(20) ? random.pick(VERBS) : route.verb;
  const isPage = service === undefined && random.oneIn(15);
  const path = isPage ? random.pick(PAGES) : pathOf(random, route.path);
  const target = forTarget(path + queryOf(random, route.method)).slice(0, 3000) || '/';
  const hasBody = verb !== 'GET' && verb !== 'HEAD' ? true : random.oneIn(20);
  const body = hasBody ? jsonBody(random, route.method.input) : Buffer.alloc(0);
  const type: Header[] = random.oneIn(2) ? [['content-type', 'application/json']] : [];
  const headers = [...type, ...authorization(random, route.method), ...extras(random, 4)];
  return { verb, target, headers, body, isAnswered: true };
}

/** gRPC or gRPC-Web: messages in their frames. */
export function grpcCall(random: Random, protocol: 'grpc' | 'grpc-web'): CallInput {
  const method = random.pick(METHODS);
  const isStream = method.methodKind !== 'unary' && method.methodKind !== 'server_streaming';
  const name = `/${method.parent.typeName}/${method.name}`;
  const spoilt = random.oneIn(30) ? mutate(random, Buffer.from(name), PATH_WORDS) : name;
  const body = grpcBody(random, method.input, isStream);
  const isGzip = (body[0] === 1 && !random.oneIn(5)) || random.oneIn(12);
  const type = random.pick(['', '+proto', '+proto', '; charset=utf-8']);
  const headers: Header[] = [
    ['content-type', `application/${protocol}${type}`],
    ...(protocol === 'grpc' ? [['te', 'trailers'] as const] : []),
    ...(isGzip ? [['grpc-encoding', 'gzip'] as const] : []),
    ...authorization(random, method),
    ...extras(random, 5),
  ];
  const isAnswered = !RESTING.includes(method.name);
  return { verb: 'POST', target: forTarget(spoilt.toString('latin1')), headers, body, isAnswered };
}

/** A call that would be fine, but for its headers. */
export function headersCall(random: Random): CallInput {
  const call = random.oneIn(2) ? restCall(random, 'AuthService') : grpcCall(random, 'grpc-web');
  const headers = [...call.headers, ...extras(random, 1), ...extras(random, 1)];
  return { ...call, headers, isAnswered: false };
}
