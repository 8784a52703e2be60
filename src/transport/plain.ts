/** Pages that are no calls of the contract: health for load balancers, the OpenAPI document, docs. */
import { readFileSync } from 'node:fs';
import type { DescService } from '@bufbuild/protobuf';
import type { Metadata } from '../pipeline/call.ts';
import { readComments } from './comments.ts';
import { docsRoutes } from './docs.ts';
import { JSON_HEADERS } from './http.ts';
import { type OpenApiInfo, openapi } from './openapi.ts';

export interface Page {
  readonly status: number;
  readonly headers: Metadata;
  readonly body: string | Uint8Array;
}

/** What makes the page at a path, if there is one. */
export type PlainRoutes = ReadonlyMap<string, () => Page | Promise<Page>>;

/** A page that is a JSON value. */
export function jsonPage(status: number, value: unknown): Page {
  return { status, headers: JSON_HEADERS, body: JSON.stringify(value) };
}

/** What tells load balancers how the server is. */
export interface HealthOptions {
  /** False once the server stops. */
  readonly isServing: () => boolean;
  /** Resolves when the database answers. */
  readonly ping: () => Promise<void>;
}

/** The pages for load balancers and for those who watch over the server. */
export function healthPages({ isServing, ping }: HealthOptions): PlainRoutes {
  return new Map<string, () => Page | Promise<Page>>([
    ['/healthz', () => jsonPage(200, { status: 'ok' })],
    [
      '/readyz',
      async () => {
        if (!isServing()) return jsonPage(503, { status: 'stopping' });
        return ping().then(
          () => jsonPage(200, { status: 'ready' }),
          () => jsonPage(503, { status: 'the database does not answer' }),
        );
      },
    ],
  ]);
}

/** The figures for Prometheus. */
export function metricsPages(
  read: () => Promise<{ contentType: string; text: string }>,
): PlainRoutes {
  return new Map([
    [
      '/metrics',
      async () => {
        const { contentType, text } = await read();
        return { status: 200, headers: ['content-type', contentType], body: text };
      },
    ],
  ]);
}

export interface ContractPagesOptions {
  /** Those that the OpenAPI document tells of. */
  readonly services: readonly DescService[];
  readonly info: OpenApiInfo;
  /** The page that shows the document and sends requests. */
  readonly hasDocs: boolean;
}

/** What tells of the contract. */
export function contractPages({ services, info, hasDocs }: ContractPagesOptions): PlainRoutes {
  const routes = new Map<string, () => Page | Promise<Page>>();
  let document: Page | undefined;
  routes.set('/openapi.json', () => {
    if (document === undefined) {
      const image = readFileSync(new URL('../gen/contract.binpb', import.meta.url));
      const page = jsonPage(200, openapi(services, readComments(image), info));
      // As bytes, which all answers share: a text would be encoded anew for each, and kept until it is read.
      document = { ...page, body: Buffer.from(String(page.body)) };
    }
    return document;
  });
  for (const [at, resource] of hasDocs ? docsRoutes() : []) {
    routes.set(at, () => {
      // The body is read when it is asked for.
      const { headers, body } = resource;
      return { status: 200, headers: Object.entries(headers).flat(), body };
    });
  }
  return routes;
}
