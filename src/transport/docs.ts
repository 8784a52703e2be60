/**
 * The page that shows the OpenAPI document and sends requests to this server: Swagger UI, from our
 * own origin. Why this viewer: docs/decisions/0004-docs-viewer.md.
 */
import { readFileSync } from 'node:fs';

/** One resource of the page. */
export interface DocsResource {
  readonly headers: Readonly<Record<string, string>>;
  /** Read or made on first use, then kept. */
  readonly body: Buffer;
}

/**
 * Nothing but our own origin. Images may also be `data:`, since the arrows and icons of the
 * viewer's style sheet are written into it; an image cannot run anything.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';

/** What is named with its version never changes; the rest is asked for anew. */
const CACHE_FOREVER = 'public, max-age=31536000, immutable';
const CACHE_NOT = 'no-cache';

// The badge of the viewer's online validator would show our document to a foreign host: no
// validatorUrl. Requests are sent at once, without a click that allows it.
const INIT = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  validatorUrl: null,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
});
`;

function fromPackage(path: string): Buffer {
  return readFileSync(new URL(import.meta.resolve(`swagger-ui-dist/${path}`)));
}

function page(): string {
  const { version } = JSON.parse(fromPackage('package.json').toString());
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Propusk API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/docs/swagger-ui.css?v=${version}">
    <script src="/docs/swagger-ui-bundle.js?v=${version}" defer></script>
    <script src="/docs/init.js" defer></script>
  </head>
  <body>
    <div id="docs"></div>
    <noscript>This page needs JavaScript; the document itself is <a href="/openapi.json">here</a>.</noscript>
  </body>
</html>
`;
}

function resource(contentType: string, cacheControl: string, make: () => string | Buffer) {
  let body: Buffer | undefined;
  return {
    headers: {
      'content-type': contentType,
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': cacheControl,
    },
    get body(): Buffer {
      body ??= Buffer.from(make());
      return body;
    },
  };
}

/** The page and all that it loads, by path; the document itself is served at `/openapi.json`. */
export function docsRoutes(): Map<string, DocsResource> {
  const index = resource(HTML, CACHE_NOT, page);
  const fromViewer = (type: string, path: string) =>
    resource(type, CACHE_FOREVER, () => fromPackage(path));
  return new Map([
    ['/docs', index],
    ['/docs/', index],
    ['/docs/init.js', resource(SCRIPT, CACHE_NOT, () => INIT)],
    ['/docs/swagger-ui.css', fromViewer(STYLE, 'swagger-ui.css')],
    ['/docs/swagger-ui-bundle.js', fromViewer(SCRIPT, 'swagger-ui-bundle.js')],
  ]);
}
