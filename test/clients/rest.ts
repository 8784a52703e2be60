/** REST, over HTTP/1.1 by fetch and over HTTP/2 with prior knowledge by node:http2. */
import http2 from 'node:http2';
import {
  create,
  type DescMethodUnary,
  fromJsonString,
  getOption,
  type JsonObject,
  type JsonValue,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toJson,
} from '@bufbuild/protobuf';
import { http as httpOption } from '../../src/gen/google/api/annotations_pb.js';
import { type Answer, CallFailure, type CallOptions, Client, type Headers } from './client.ts';

export interface RestRequest {
  readonly headers?: Headers | undefined;
  readonly body?: string | Uint8Array<ArrayBuffer> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** What both versions of HTTP share. */
export abstract class RestClient extends Client {
  readonly protocol = 'rest';
  readonly hasStreams = false;

  /** Any request; answers of any status resolve. */
  abstract send(verb: string, target: string, request?: RestRequest): Promise<RestAnswer>;

  /** For methods that have a route. */
  async call<M extends DescMethodUnary>(
    method: M,
    input: MessageInitShape<M['input']>,
    { metadata = {}, timeoutMs, signal }: CallOptions = {},
  ): Promise<Answer<MessageShape<M['output']>>> {
    const { verb, target, body } = requestOf(method, create<M['input']>(method.input, input));
    const headers = { 'content-type': 'application/json', ...metadata };
    const timeout = timeoutMs === undefined ? {} : { 'grpc-timeout': `${timeoutMs}m` };
    const answer = await this.send(verb, target, {
      headers: { ...headers, ...timeout },
      body,
      signal,
    });
    if (answer.status !== 200) throw failureOfAnswer(answer);
    const message = fromJsonString<M['output']>(method.output, answer.text);
    return { message, headers: answer.headers, text: answer.text };
  }

  stream(): AsyncIterable<Message> {
    throw new Error('REST has no streams');
  }
}

/** A message as its method's route takes it: in the path, and in the body or the query. */
function requestOf(method: DescMethodUnary, input: Message) {
  const { pattern, body } = getOption(method, httpOption);
  if (typeof pattern.value !== 'string') throw new Error(`${method} has no route`);
  const json = toJson(method.input, input, { useProtoFieldName: true }) as JsonObject;
  const path = pattern.value.replace(/\{([\w.]+)\}/g, (_, name: string) =>
    encodeURIComponent(String(taken(json, name.split('.')) ?? '')),
  );
  const verb = pattern.case?.toUpperCase() ?? '';
  if (body === '*') return { verb, target: path, body: JSON.stringify(json) };
  const part = body === '' ? undefined : (taken(json, [body]) ?? {});
  const query = new URLSearchParams(
    Object.entries(json).map(([k, v]) => [k, String(v)]),
  ).toString();
  const target = query === '' ? path : `${path}?${query}`;
  return { verb, target, body: part === undefined ? part : JSON.stringify(part) };
}

/** Takes a value out of an object, by the names that lead to it. */
function taken(json: JsonObject, [name = '', ...rest]: readonly string[]): JsonValue | undefined {
  const { [name]: value } = json;
  if (rest.length > 0) return value === undefined ? value : taken(value as JsonObject, rest);
  delete json[name];
  return value;
}

/** An error's body must be a google.rpc.Status and nothing else. */
export function failureOfAnswer({ status, headers, text }: RestAnswer): CallFailure {
  const json: JsonObject = JSON.parse(text);
  const { code, message, details } = json;
  const isStatus =
    Object.keys(json).join() === 'code,message,details' &&
    typeof code === 'number' &&
    typeof message === 'string' &&
    Array.isArray(details);
  if (!isStatus) throw new Error(`${status} with a body that is no google.rpc.Status: ${text}`);
  return new CallFailure({ code, message, details: details as JsonObject[] }, headers, status);
}

export class Rest1Client extends RestClient {
  readonly name = 'REST on HTTP/1.1';
  readonly #url: string;

  constructor(url: string) {
    super();
    this.#url = url;
  }

  async send(verb: string, target: string, request: RestRequest = {}): Promise<RestAnswer> {
    const { headers = {}, body = null, signal = null } = request;
    const answer = await fetch(this.#url + target, { method: verb, headers, body, signal });
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      text: await answer.text(),
    };
  }

  async close(): Promise<void> {}
}

export class Rest2Client extends RestClient {
  readonly name = 'REST on HTTP/2';
  readonly #session: http2.ClientHttp2Session;

  constructor(url: string) {
    super();
    // Megabytes: large requests must not be what makes this client itself refuse an answer.
    this.#session = http2.connect(url, { maxSessionMemory: 100 });
    this.#session.on('error', () => {});
  }

  send(verb: string, target: string, request: RestRequest = {}): Promise<RestAnswer> {
    const { headers = {}, body = '', signal } = request;
    return new Promise((resolve, reject) => {
      const stream = this.#session.request(
        { ...headers, ':method': verb, ':path': target },
        { endStream: body.length === 0, ...(signal != null && { signal }) },
      );
      let answered: Record<string, unknown> | undefined;
      let text = '';
      stream.setEncoding('utf8');
      stream.on('response', (received) => {
        answered = received;
      });
      stream.on('data', (chunk) => {
        text += chunk;
      });
      stream.on('error', reject);
      stream.on('close', () => {
        if (answered === undefined) return reject(new Error('the stream closed unanswered'));
        const { ':status': status, ...rest } = answered;
        const entries = Object.entries(rest).map(([name, value]) => [name, String(value)]);
        resolve({ status: Number(status), headers: Object.fromEntries(entries), text });
      });
      if (body.length > 0) stream.end(body);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#session.destroyed) return resolve();
      this.#session.once('close', resolve);
      this.#session.destroy();
    });
  }
}
