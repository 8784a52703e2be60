/** No path is let in at /authz that another program reads as another route, or another account. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { oneMeaning, type Try, tries } from './authz-paths.ts';
import { AuthzScene } from './authz-scene.ts';
import { Rest1Client } from './clients/rest.ts';
import { talk } from './raw.ts';
import { startHere, temporaryFolder } from './start.ts';

const scene = await AuthzScene.open();
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
after(async () => {
  agent.destroy();
  await scene[Symbol.asyncDispose]();
});
const { port } = scene.server;
const authorization = scene.shown.good;

interface Asked {
  readonly status: number;
  readonly rule: string | undefined;
  readonly account: string | undefined;
}

/** Asks, unless Node's client refuses to send such a header. */
async function ask({ verb, uri }: Try, isByPath: boolean): Promise<Asked | undefined> {
  // No header has blanks at its ends.
  if (!isByPath && uri !== uri.trim()) return undefined;
  const headers = isByPath ? {} : { 'x-forwarded-method': verb, 'x-forwarded-uri': uri };
  const target = isByPath ? { method: verb, path: `/authz${uri}` } : { path: '/authz' };
  let request: http.ClientRequest;
  try {
    request = http.request({ port, agent, headers: { ...headers, authorization }, ...target });
  } catch {
    return undefined;
  }
  request.end();
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  const { 'x-propusk-account': account, ratelimit } = answer.headers;
  const rule = /^"([^"]+)"/.exec(String(ratelimit))?.[1];
  return { status: answer.statusCode ?? 0, rule, account: account?.toString() };
}

for (const isByPath of [false, true]) {
  const way = isByPath ? 'its own path' : 'headers';
  test(`who is let in by ${way} means one thing to everybody`, async () => {
    const statuses = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(tries, async (one) => {
        const asked = await ask(one, isByPath);
        statuses.set(asked?.status ?? 0, (statuses.get(asked?.status ?? 0) ?? 0) + 1);
        if (asked?.status !== 200) return;
        const meaning = oneMeaning(one);
        assert.ok(meaning, `${one.verb} ${one.uri}: ${asked.rule} was let in`);
        assert.equal(asked.rule, meaning.rule, one.uri);
        if (asked.account !== undefined) assert.equal(asked.account, meaning.named, one.uri);
      }),
      { numRuns: 3000 },
    );
    // Both happen, and often: the tries are near to what is let in.
    assert.ok((statuses.get(200) ?? 0) > 200, JSON.stringify([...statuses]));
    assert.ok((statuses.get(400) ?? 0) > 500, JSON.stringify([...statuses]));
  });
}

test('bytes that no client sends are refused as well', async () => {
  const uris = ['/free\0', '/free\x01', '/fr\x7fee', '/free\xff', '/free\r', '/free\u00a0'];
  for (const uri of [...uris, '/free\t/', `/${'a'.repeat(5000)}`]) {
    const head = `GET /authz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-Method: GET\r\n`;
    const bytes = Buffer.from(`${head}X-Forwarded-Uri: ${uri}\r\n\r\n`, 'latin1');
    const { text } = await talk(port, [bytes]);
    assert.match(text, /^HTTP\/1\.1 400 /, JSON.stringify(uri));
  }
});

test('a rule is met by whoever decodes its path first, or ignores case', async () => {
  const file = path.join(temporaryFolder(), 'rules.yaml');
  const rules: readonly (readonly [string, string, string])[] = [
    ['User', '/u/{id}', 'nothing'],
    ['Me', '/u/@me', 'token'],
    ['Boss', '/u/Boss', 'token'],
    ['Close', '/u/{id}:Close', 'token'],
    ['Plus', '/u/a%2Bb', 'token'],
  ];
  const lines = rules.map(
    ([name, template, requires]) =>
      `  - { name: ${name}, method: GET, path: "${template}", requires: ${requires} }\n`,
  );
  writeFileSync(file, `version: 1\nrules:\n${lines.join('')}`);
  await using server = await startHere(['--authz-rules', file]);
  const rest = new Rest1Client(server.url);
  const statusOf = async (uri: string) => {
    const headers = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': uri };
    return (await rest.send('GET', '/authz', { headers })).status;
  };
  for (const uri of ['/u/x', '/u/x%40me', '/u/X', '/u/x:y']) {
    assert.equal(await statusOf(uri), 200, uri);
  }
  for (const uri of ['/u/@me', '/u/Boss', '/u/x:Close', '/u/a%2Bb']) {
    assert.equal(await statusOf(uri), 401, uri);
  }
  // These are not the rule's own path, and its path to some.
  const others = ['/u/%40me', '/u/@ME', '/u/%40Me', '/u/boss', '/u/BOSS'];
  others.push('/u/x:close', '/u/x%3AClose', '/u/x%3Aclose', '/u/a+b', '/u/A%2bB', '/u/a%2bb');
  for (const uri of others) assert.equal(await statusOf(uri), 404, uri);
  await rest.close();
});

test('HEAD is let in where GET is, and nowhere else', async () => {
  const file = path.join(temporaryFolder(), 'rules.yaml');
  const rules = [
    '{ name: Any, method: "*", path: "/a/{rest=**}", requires: nothing }',
    '{ name: Secret, method: GET, path: /a/secret, requires: token }',
    '{ name: Own, method: [GET, POST], path: "/a/own/{id}", requires: token }',
    '{ name: OwnHead, method: HEAD, path: "/a/own/{other}", requires: nothing }',
  ];
  writeFileSync(file, `version: 1\nrules:\n${rules.map((each) => `  - ${each}\n`).join('')}`);
  await using server = await startHere(['--authz-rules', file]);
  const rest = new Rest1Client(server.url);
  const statusesOf = (uri: string) =>
    Promise.all(
      ['GET', 'HEAD', 'PUT'].map(async (verb) => {
        const headers = { 'x-forwarded-method': verb, 'x-forwarded-uri': uri };
        return (await rest.send('GET', '/authz', { headers })).status;
      }),
    );
  assert.deepEqual(await statusesOf('/a/b'), [200, 200, 200]);
  assert.deepEqual(await statusesOf('/a/secret'), [401, 401, 200]);
  assert.deepEqual(await statusesOf('/a/own/1'), [401, 200, 200]);
  await rest.close();
});
