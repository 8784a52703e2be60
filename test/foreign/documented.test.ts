/**
 * The requests of the API's public documentation, word for word: only the host and the secret are
 * put in, and each tool is told by its own environment variable whom to trust.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type InChild, startDev } from '../start.ts';
import { DEMO_DETAILS, runTool, tool } from './tools.ts';

const PYTHON = readFileSync(path.join(import.meta.dirname, 'python', 'documented.py'), 'utf8');
const CURL = `TOKEN=$(curl -s -X POST 'https://api.finam.ru/v1/sessions' \\
  -H 'Content-Type: application/json' \\
  -d '{"secret":"YOUR_API_TOKEN"}' | jq -r '.token')
`;
const JAVASCRIPT = `const authResponse = await fetch('https://api.finam.ru/v1/sessions', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({"secret":"YOUR_API_TOKEN"})
});
const { token } = await authResponse.json();
`;
const GRPCURL = `grpcurl \\
  -d '{
  "token": "YOUR_TOKEN"
}' \\
  api.finam.ru:443 grpc.tradeapi.v1.auth.AuthService/TokenDetails`;
/** The documented request for the details, as a request file. */
const DETAILS = `POST /v1/sessions/details
Content-Type: application/json

{
  "token": "YOUR_TOKEN"
}`;

let server: InChild;
/** For the tools that take the certificates that they trust from their environment. */
let trust: Record<string, string>;

before(async () => {
  server = await startDev({ args: ['--tls'] });
  const roots = path.join(server.folder, 'tls.crt');
  trust = {
    CURL_CA_BUNDLE: roots,
    REQUESTS_CA_BUNDLE: roots,
    NODE_EXTRA_CA_CERTS: roots,
    SSL_CERT_FILE: roots,
  };
});

after(() => server.stop());

/** The documented text, for this server. */
function here(text: string, token = ''): string {
  return text
    .replaceAll('api.finam.ru:443', server.authority)
    .replaceAll('api.finam.ru', server.authority)
    .replaceAll('YOUR_API_TOKEN', server.secret)
    .replaceAll('YOUR_TOKEN', token);
}

/** What the documented text prints when a tool runs it. */
async function printed(name: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTool(name, args, trust);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

/** Sends the documented request for the details and looks at the documented answer. */
async function assertGood(token: string): Promise<void> {
  assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  const [head = '', body = ''] = here(DETAILS, token).split('\n\n');
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
  await assertGood(await printed('bash', '-euc', `${here(CURL)}echo "$TOKEN"`));
});

test('Python with requests', async () => {
  await assertGood(await printed('python', '-c', here(PYTHON)));
});

test('JavaScript with fetch', async () => {
  const program = `${here(JAVASCRIPT)}console.log(token);`;
  await assertGood(await printed(process.execPath, '--input-type=module', '-e', program));
});

test('grpcurl', async () => {
  tool('grpcurl');
  const token = await printed('bash', '-euc', `${here(CURL)}echo "$TOKEN"`);
  const answer = await printed('bash', '-euc', here(GRPCURL, token));
  assert.deepEqual(JSON.parse(answer).accountIds, DEMO_DETAILS.account_ids);
});
