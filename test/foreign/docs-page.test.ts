/** The docs page in a real browser: it shows the contract, sends requests, and stays at home. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { startDev } from '../start.ts';
import { until } from '../wait.ts';
import { type Browser, startBrowser } from './browser.ts';

let server: Awaited<ReturnType<typeof startDev>>;
let browser: Browser;

before(async () => {
  server = await startDev({ args: [] });
  browser = await startBrowser();
});

after(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.stop();
});

/** What a visit to the page brought about. */
interface Visit {
  readonly page: Page;
  readonly foreignUrls: readonly string[];
  readonly errors: readonly string[];
}

/** Opens the page, and notes what it asks for and what goes wrong from its first moment. */
async function visit(): Promise<Visit> {
  const page = await browser.context.newPage();
  const { origin } = new URL(server.url);
  const foreignUrls: string[] = [];
  const errors: string[] = [];
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) foreignUrls.push(url);
  });
  page.on('pageerror', (error) => errors.push(error.message));
  await page.exposeFunction('noteViolation', (text: string) => errors.push(text));
  await page.addInitScript(
    `addEventListener('securitypolicyviolation', (event) =>
      noteViolation('CSP: ' + event.effectiveDirective + ' ' + event.blockedURI));`,
  );
  await page.goto(`${origin}/docs`);
  await page.locator('.opblock').first().waitFor();
  return { page, foreignUrls, errors };
}

async function open(page: Page, path: string): Promise<Locator> {
  const operation = page.locator('.opblock').filter({
    has: page.locator(`[data-path="${path}"]`),
  });
  await operation.locator('.opblock-summary-control').click();
  await operation.locator('button.execute').waitFor();
  return operation;
}

/** Sends a body with the page's own button. */
async function send(
  operation: Locator,
  body: object,
): Promise<{ status: string | undefined; body: unknown }> {
  await operation.locator('textarea').first().fill(JSON.stringify(body));
  const page = operation.page();
  const answered = page.waitForResponse((response) => response.request().method() === 'POST');
  await operation.locator('button.execute').click();
  const sentStatus = (await answered).status();
  const shown = operation.locator('.live-responses-table tr.response');
  await shown.filter({ hasText: String(sentStatus) }).waitFor();
  const status = await shown.locator('.response-col_status').textContent();
  const text = await shown.locator('.highlight-code code').first().textContent();
  return { status: status?.trim(), body: JSON.parse(text ?? '') };
}

test('the page shows every REST method, and no CSP rule is broken', async () => {
  const { page, foreignUrls, errors } = await visit();
  const paths = await page.locator('.opblock-summary-path').allTextContents();
  // The viewer puts zero-width spaces where a path may wrap.
  const shown = paths.map((path) => path.replaceAll('\u200b', ''));
  assert.ok(shown.includes('/v1/sessions'), shown.join());
  assert.ok(shown.includes('/v1/sessions/details'), shown.join());
  const operation = await open(page, '/v1/sessions/details');
  await operation.getByText('Счёт не был найден в токене', { exact: true }).first().waitFor();
  assert.deepEqual(errors, []);
  assert.deepEqual(foreignUrls, []);
  await page.close();
});

test('a schema unfolds down to the values of its enums', async () => {
  const { page, foreignUrls, errors } = await visit();
  await page.locator('section.models button').first().click();
  const schema = page.locator('section.models [data-json-schema-level="0"]').filter({
    has: page.getByText('TokenDetailsResponse', { exact: true }),
  });
  // A long list holds no more than what is in view.
  await until(
    'the schema in the list',
    async () => {
      if ((await schema.count()) > 0) return true;
      await page.locator('.models-scroll').evaluate((list) => list.scrollBy(0, 200));
      return false;
    },
    60_000,
  );
  await schema.getByText('Expand all').first().click();
  await schema.getByText('"QUOTE_LEVEL_DEPTH_OF_MARKET"').waitFor();
  assert.deepEqual(errors, []);
  assert.deepEqual(foreignUrls, []);
  await page.close();
});

test('a request that is sent from the page is answered in the page', async () => {
  const { page, foreignUrls, errors } = await visit();
  const auth = await open(page, '/v1/sessions');
  const good = await send(auth, { secret: server.secret });
  assert.equal(good.status, '200');
  const { token } = good.body as { token: string };
  assert.equal(token.split('.').length, 3);

  const details = await open(page, '/v1/sessions/details');
  const told = await send(details, { token });
  assert.equal(told.status, '200');
  assert.ok((told.body as { account_ids: string[] }).account_ids.length > 0);

  const refused = await send(auth, { secret: 'no such secret' });
  assert.equal(refused.status, '401');
  assert.equal((refused.body as { code: number }).code, 16);
  assert.deepEqual(errors, []);
  assert.deepEqual(foreignUrls, []);
  await page.close();
});

test('another page may not frame it', async () => {
  const response = await fetch(new URL('/docs', server.url));
  assert.match(response.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
});

test('nothing that reports to its maker is installed with the page', async () => {
  const lock = await readFile(new URL('../../package-lock.json', import.meta.url), 'utf8');
  const packages = Object.entries<{ name?: string }>(JSON.parse(lock).packages);
  // An entry has a name where the package is not the one that its folder says.
  const names = packages.map(([place, { name }]) => name ?? place.split('node_modules/').at(-1));
  assert.ok(names.includes('swagger-ui-dist'));
  assert.ok(!names.includes('@scarf/scarf'), 'see docs/decisions/0004-docs-viewer.md');
});
