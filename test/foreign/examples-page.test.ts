/** The page of examples/browser in a real browser, served as its README says: by gRPC-Web from elsewhere. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { type InChild, startDev } from '../start.ts';
import { type Browser, startBrowser } from './browser.ts';
import { ACCOUNT, assertTraded, ordersOf, README, readonlySecret } from './examples.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');

/** Serves the page; it ends with our end of its standard input. */
interface Served extends Disposable {
  readonly url: string;
}

async function servePage(): Promise<Served> {
  const [, line = ''] = /^npx (esbuild [^\\\n]*(?:\\\n[^\\\n]*)*)$/m.exec(README) ?? [];
  const [name = '', ...args] = line.replace('127.0.0.1:5173', '127.0.0.1:0').split(/[\s\\]+/);
  const child = spawn(path.join(ROOT, 'node_modules', '.bin', name), args, {
    cwd: ROOT,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const told: string[] = [];
  for await (const text of createInterface(child.stderr)) {
    told.push(text);
    const url = /(http:\/\/127\.0\.0\.1:\d+)\//.exec(text)?.[1];
    if (url !== undefined) return { url, [Symbol.dispose]: () => void child.stdin.end() };
  }
  throw new Error(`esbuild serves nothing: ${told.join('\n')}`);
}

let served: Served;
let server: InChild;
let browser: Browser;

before(async () => {
  served = await servePage();
  server = await startDev({ args: ['--cors-origin', served.url] });
  browser = await startBrowser();
});

after(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.stop();
  served?.[Symbol.dispose]();
});

/** Opens the page, gives it a secret and lets it run; resolves with what it then shows, line by line. */
async function ran(query: Record<string, string>, secret: string): Promise<string> {
  const page = await browser.context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`${served.url}/?${new URLSearchParams(query)}`);
  await page.getByLabel('Secret').fill(secret);
  await page.getByRole('button').click();
  // It can be pressed again when all is done.
  await page.locator('li').last().waitFor();
  await page.locator('button:enabled').waitFor();
  const lines = await page.locator('li').allTextContents();
  assert.deepEqual(errors, []);
  await page.close();
  return `${lines.join('\n')}\n`;
}

test('signs in, places an order, reads it and cancels it', async () => {
  const earlier = await ordersOf(server);
  const lines = await ran({ url: server.url, account: ACCOUNT }, server.secret);
  await assertTraded(lines, server, earlier);
});

test('tells why it could not sign in', async () => {
  assert.match(await ran({ url: server.url }, 'no such secret'), /^SECRET_INVALID: \S.*\n$/);
});

test('tells why it could not trade', async () => {
  const earlier = await ordersOf(server);
  const lines = await ran({ url: server.url }, readonlySecret(server));
  assert.match(lines, /\nAccounts: \S+ \(read only\)\n/);
  assert.match(lines, /\nREADONLY_SESSION: \S.*\n$/);
  assert.deepEqual(await ordersOf(server), earlier);
});
