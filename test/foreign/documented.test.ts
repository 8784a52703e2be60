/**
 * Signing in and the details of a token as the API's public documents have them: only the host and
 * the secret are put in, and each tool is told by its own environment variable whom to trust.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type InChild, startDev } from '../start.ts';
import { documentOf, sampleOf, signInOf, withOwn } from './samples.ts';
import { DEMO_DETAILS, runTool, tool, trusting } from './tools.ts';

const REST = documentOf('rest-token-details.md');
const GRPC = documentOf('grpc-token-details.md');
const CURL = `${signInOf(sampleOf(REST, 'cURL'))}\n`;

let server: InChild;
let trust: Record<string, string>;

before(async () => {
  server = await startDev({ args: ['--tls'] });
  trust = trusting(path.join(server.folder, 'tls.crt'));
});

after(() => server.stop());

/** What the documented text prints when a tool runs it. */
async function printed(name: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTool(name, args, trust);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

/** Sends the documented request for the details and looks at the documented answer. */
async function assertGood(token: string): Promise<void> {
  assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  const [, request = ''] = /Пример HTTP запроса:\n(.*?\n })\n/s.exec(GRPC) ?? [];
  const own = withOwn(request.replace(/^ /gm, ''), { ...server, token });
  const [head = '', body = ''] = own.split('\n\n');
  const [line = '', ...headers] = head.split('\n');
  const [verb = '', target = ''] = line.split(' ');
  const sent = [...headers.flatMap((header) => ['-H', header]), '-d', body];
  const url = `${server.url}${target}`;
  const answer = await printed('curl', '-s', '-X', verb, ...sent, '-w', '\n%{http_code}', url);
  const [json = '', status] = answer.split('\n');
  assert.equal(status, '200');
  const { created_at, expires_at, ...details } = JSON.parse(json);
  assert.deepEqual(details, DEMO_DETAILS);
  // The example's form, and its life: 07:51:27 to 08:06:30.
  for (const at of [created_at, expires_at]) assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(Date.parse(expires_at) - Date.parse(created_at), 903_000);
}

test('cURL', async () => {
  tool('jq');
  await assertGood(await printed('bash', '-euc', `${withOwn(CURL, server)}echo "$TOKEN"`));
});

test('Python with requests', async () => {
  const program = `${withOwn(signInOf(sampleOf(REST, 'Python')), server)}\nprint(token)`;
  await assertGood(await printed('python', '-c', program));
});

test('JavaScript with fetch', async () => {
  const program = `${withOwn(signInOf(sampleOf(REST, 'JavaScript')), server)}\nconsole.log(token);`;
  await assertGood(await printed(process.execPath, '--input-type=module', '-e', program));
});

test('grpcurl', async () => {
  tool('grpcurl');
  const token = await printed('bash', '-euc', `${withOwn(CURL, server)}echo "$TOKEN"`);
  const sample = sampleOf(GRPC, 'grpcurl').replace('"string"', `"${token}"`);
  const answer = await printed('bash', '-euc', withOwn(sample, server));
  assert.deepEqual(JSON.parse(answer).accountIds, DEMO_DETAILS.account_ids);
});
