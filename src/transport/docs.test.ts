import assert from 'node:assert/strict';
import { test } from 'node:test';
import { docsRoutes } from './docs.ts';

const routes = docsRoutes();

function textAt(path: string): string {
  return routes.get(path)?.body.toString() ?? '';
}

test('the page is there with and without its slash', () => {
  assert.match(textAt('/docs'), /^<!doctype html>/);
  assert.equal(textAt('/docs/'), textAt('/docs'));
});

test('all that the page loads is served here', () => {
  const html = textAt('/docs');
  const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url = '']) => url);
  const paths = loaded.filter((url) => url.startsWith('/docs'));
  assert.equal(paths.length, 3);
  for (const path of paths) assert.notEqual(textAt(path.replace(/\?.*/, '')), '', path);
  // What is left is the document itself and the icon that is none.
  const others = loaded.filter((url) => !url.startsWith('/docs'));
  assert.deepEqual(others.toSorted(), ['/openapi.json', 'data:,']);
});

test('nothing in the page is inline', () => {
  const html = textAt('/docs');
  assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)/);
  assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=/);
});

test('the viewer shows our document and tells nobody of it', () => {
  const script = textAt('/docs/init.js');
  assert.match(script, /url: '\/openapi\.json'/);
  assert.match(script, /validatorUrl: null/);
  assert.doesNotMatch(script, /https?:/);
});

test('the files of the viewer are those of the version that the page names', () => {
  assert.match(textAt('/docs'), /swagger-ui-bundle\.js\?v=\d+\.\d+\.\d+"/);
  assert.match(textAt('/docs/swagger-ui-bundle.js'), /SwaggerUIBundle/);
  assert.match(textAt('/docs/swagger-ui.css'), /\.swagger-ui/);
});

test('the viewer has no telemetry', () => {
  assert.doesNotMatch(textAt('/docs/swagger-ui-bundle.js'), /scarf/i);
});

test('each resource has its type and may load from our origin only', () => {
  const types = {
    '/docs': /^text\/html/,
    '/docs/init.js': /^text\/javascript/,
    '/docs/swagger-ui-bundle.js': /^text\/javascript/,
    '/docs/swagger-ui.css': /^text\/css/,
  };
  for (const [path, type] of Object.entries(types)) {
    const headers = routes.get(path)?.headers ?? {};
    assert.match(headers['content-type'] ?? '', type, path);
    assert.equal(headers['x-content-type-options'], 'nosniff', path);
    const policy = headers['content-security-policy'] ?? '';
    assert.match(policy, /^default-src 'self';/, path);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/, path);
  }
});

test('what may change is asked for anew, what has a version is kept', () => {
  assert.equal(routes.get('/docs')?.headers['cache-control'], 'no-cache');
  assert.equal(routes.get('/docs/init.js')?.headers['cache-control'], 'no-cache');
  assert.match(routes.get('/docs/swagger-ui.css')?.headers['cache-control'] ?? '', /immutable/);
});

test('a file is read once', () => {
  const css = routes.get('/docs/swagger-ui.css');
  assert.equal(css?.body, css?.body);
});
