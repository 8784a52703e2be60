/**
 * What no well-meant client sends to the port. The server answers cleanly or closes, never with
 * 500, and goes on serving; whatever it logs has a request id.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { Rest1Client } from './clients/rest.ts';
import { besidesEngines } from './engines.ts';
import { type Step, type Talk, talk } from './raw.ts';
import { startHere } from './start.ts';
import { linesOf } from './wait.ts';

const flags = [
  ['--sniff-ms-max', '150'],
  ['--header-ms-max', '200'],
  ['--request-ms-max', '500'],
  ['--idle-ms-max', '60000'],
  ['--header-bytes-max', '4096'],
  ['--body-bytes-max', '5000'],
].flat();
const server = await startHere(flags);
const client = new Rest1Client(server.url);
after(() => server.stop());

const BODY = JSON.stringify({ secret: server.secret });
const HEAD = 'POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\n';
const SIGN_IN = `${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY}`;
const LAST = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** The answers in what the server sent, cut by their content-length. */
function answersIn({ text }: Talk): Answer[] {
  const answers: Answer[] = [];
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    const at = rest.indexOf('\r\n\r\n');
    const headers = rest.subarray(0, at).toString();
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(headers) ?? [];
    const length = Number(/^content-length: (\d+)$/im.exec(headers)?.[1] ?? 0);
    assert.ok(at > 0 && status !== undefined, `not an answer: ${rest}`);
    const end = at + 4 + length;
    answers.push({
      status: Number(status),
      headers,
      body: rest.subarray(at + 4, end).toString(),
    });
    rest = rest.subarray(end);
  }
  return answers;
}

/** One answer of this status, a google.rpc.Status, and the connection closed. */
function assertRefused(heard: Talk, status: number, what: string): void {
  const [answer, ...more] = answersIn(heard);
  assert.ok(answer, `${what}: nothing was answered`);
  assert.deepEqual([answer.status, more], [status, []], what);
  const json = JSON.parse(answer.body);
  assert.deepEqual(Object.keys(json), ['code', 'message', 'details']);
  assert.match(answer.headers, /^x-request-id: \S+$/m);
  assert.ok(heard.isClosed, `${what}: the connection stayed open`);
}

async function assertServes(): Promise<void> {
  assert.equal((await client.send('POST', '/v1/sessions', { body: BODY })).status, 200);
}

/** Everything that the parser must refuse: a smuggled request lives from what one reader forgives. */
const BROKEN: Readonly<Record<string, string | Buffer>> = {
  'zero bytes': Buffer.alloc(100),
  'a TLS hello': Buffer.from('16030100a5010000a10303', 'hex'),
  'a version of the future': 'GET / HTTP/9.9\r\n\r\n',
  'no Host': 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n',
  'a method in lower case': 'get / HTTP/1.1\r\nHost: x\r\n\r\n',
  'bare line feeds': 'GET / HTTP/1.1\nHost: x\n\n',
  'a space before the colon': 'GET / HTTP/1.1\r\nHost : x\r\n\r\n',
  'a folded header': 'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n',
  'a NUL in a header': 'GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n',
  'a bare carriage return': 'GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n',
  'a length and chunks': `${HEAD}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'chunks and a length': `${HEAD}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
  'an unknown coding': `${HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
  'chunked, but not last': `${HEAD}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  'an odd chunked': `${HEAD}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
  'two lengths': `${HEAD}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`,
  'a length with a sign': `${HEAD}Content-Length: +4\r\n\r\nabcd`,
  'a negative length': `${HEAD}Content-Length: -1\r\n\r\n`,
  'a length of two numbers': `${HEAD}Content-Length: 4, 5\r\n\r\nabcde`,
  'a length beyond numbers': `${HEAD}Content-Length: 99999999999999999999999\r\n\r\n`,
  'a chunk size that is none': `${HEAD}Transfer-Encoding: chunked\r\n\r\nZZ\r\n`,
  'a chunk without its end': `${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n`,
  'an endless chunk extension': `${HEAD}Transfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(30_000)}`,
  'a header over the limit': `${HEAD}A: ${'b'.repeat(5000)}\r\n\r\n`,
  'a path over the limit': `GET /${'b'.repeat(5000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  'headers without an end': `${HEAD}${'a: b\r\n'.repeat(1000)}`,
};

for (const [what, bytes] of Object.entries(BROKEN)) {
  test(`${what} is refused with 400, and closed`, async () => {
    assertRefused(await talk(server.port, [bytes]), 400, what);
  });
}

test('random bytes end in a refusal or a closed connection', async () => {
  const heard = await Promise.all(
    Array.from({ length: 50 }, () => talk(server.port, [randomBytes(300)])),
  );
  for (const each of heard) {
    assert.ok(each.isClosed);
    if (each.bytes.length > 0 && each.text.startsWith('HTTP/1.1')) {
      assertRefused(each, 400, 'random bytes');
    }
  }
  await assertServes();
});

test('the beginnings of an HTTP/2 preface are closed when nothing follows', async () => {
  const beginnings = ['', 'P', 'PRI', 'PRI * HTTP/2.', 'PRI * HTTP/2.0\r'];
  await Promise.all(
    beginnings.map(async (beginning) => {
      const heard = await talk(server.port, beginning === '' ? [] : [beginning]);
      assert.deepEqual([heard.isClosed, heard.text], [true, ''], beginning);
      assert.ok(heard.ms >= 140 && heard.ms < 3000, `${heard.ms} ms`);
    }),
  );
});

test('what speaks no HTTP at all is closed without an answer', async () => {
  for (const steps of [
    ['GARBAGE\r\n\r\n'],
    ['INVALID CONNECTION PREFACE\r\n\r\n'],
    ['P', 20, 'RI', 20, ' / x\r\n\r\n'],
    ['\r\n\r\nGET /healthz\r\n'],
  ]) {
    const { isClosed, text, ms } = await talk(server.port, steps);
    assert.deepEqual([isClosed, text], [true, ''], steps.join(''));
    assert.ok(ms < 3000, `${ms} ms`);
  }
});

test('what only begins like the preface is HTTP/1.1', async () => {
  const broken = ['P', 20, 'RIOR', 20, ' / HTTP/1.1\r\n\r\n'];
  assertRefused(await talk(server.port, broken), 400, 'PRI');
  const steps = ['P', 20, 'UT /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'];
  const [answer] = answersIn(await talk(server.port, steps));
  assert.equal(answer?.status, 404);
});

// Node looks for slow clients once a second; all of them wait at the same time.
const SLOW: Readonly<Record<string, readonly Step[]>> = {
  'a head that stops': ['GET /healthz HTTP/1.1\r\nHost: x\r\nA'],
  'a head that drips': [HEAD, ...Array.from({ length: 60 }, (_, i) => [`a${i}: b\r\n`, 50]).flat()],
  'a body that stops': [`${HEAD}Content-Length: 100\r\n\r\n{`],
  'a body that drips': [
    `${HEAD}Content-Length: 1000\r\n\r\n`,
    ...Array.from({ length: 60 }, () => [' ', 50]).flat(),
  ],
  'chunks that stop': [`${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\n{`],
  'a body that never starts': [`${HEAD}Content-Length: 9999999\r\n\r\n`],
};

test('a slow client is cut off', { concurrency: true }, async (t) => {
  const checks = Object.entries(SLOW).map(([what, steps]) =>
    t.test(what, async () => {
      const heard = await talk(server.port, steps);
      assertRefused(heard, 504, what);
      assert.ok(heard.ms < 3000, `${heard.ms} ms`);
    }),
  );
  await Promise.all(checks);
});

test('a connection that asks for nothing more is closed', async () => {
  await using idle = await startHere(['--idle-ms-max', '200']);
  const asked = ['GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'];
  const heard = await talk(idle.port, [...asked, 150, ...asked]);
  assert.deepEqual(
    answersIn(heard).map(({ status }) => status),
    [200, 200],
  );
  assert.ok(heard.isClosed && heard.ms >= 340, `${heard.ms} ms`);
});

test('requests in one piece are answered in their order', async () => {
  const named = (id: string) => SIGN_IN.replace('\r\n', `\r\nx-request-id: ${id}\r\n`);
  const requests = `${named('first')}${SIGN_IN}${named('third')}${LAST}`;
  const answers = answersIn(await talk(server.port, [requests]));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  assert.match(answers[0]?.headers ?? '', /^x-request-id: first$/m);
  assert.match(answers[2]?.headers ?? '', /^x-request-id: third$/m);
  assert.equal(answers[3]?.body, '{"status":"ok"}');
});

test('what follows a body belongs to the next request, and to no other', async () => {
  // The second request hides in what a reader of the length alone would take for the body's end.
  const hidden = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n';
  const first = `${HEAD}Content-Length: ${hidden.length}\r\n\r\n${hidden}`;
  const answers = answersIn(await talk(server.port, [`${first}${LAST}`]));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [400, 200],
  );
  // A request that is answered before its body has come: the rest of it is never a request.
  const early = `PUT /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n${hidden}`;
  const heard = await talk(server.port, [early, 30, hidden, 30, LAST]);
  assertRefused(heard, 405, 'an early answer');
});

test('HTTP/1.0 is answered, and closed', async () => {
  const heard = await talk(server.port, ['GET /healthz HTTP/1.0\r\n\r\n']);
  const [answer] = answersIn(heard);
  assert.deepEqual([answer?.status, answer?.body], [200, '{"status":"ok"}']);
  assert.ok(heard.isClosed);
});

test('other ways to send a body', async () => {
  const chunk = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n`;
  const close = 'Connection: close\r\n';
  for (const steps of [
    [`${HEAD}${close}Transfer-Encoding: chunked\r\n\r\n${chunk}\r\n`],
    [`${HEAD}${close}Transfer-Encoding: chunked\r\n\r\n${chunk}X-Trailer: x\r\n\r\n`],
    [`${HEAD}${close}Expect: 100-continue\r\nContent-Length: ${BODY.length}\r\n\r\n`, 20, BODY],
    [`${HEAD}${close}Expect: nonsense\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`],
    [...`${HEAD}${close}Content-Length: ${BODY.length}\r\n\r\n${BODY}`],
    [`\r\n\r\n${HEAD}${close}Content-Length: ${BODY.length}\r\n\r\n`, 5, BODY],
  ]) {
    const answer = answersIn(await talk(server.port, steps)).at(-1);
    assert.equal(answer?.status, 200);
    assert.ok(JSON.parse(answer.body).token);
  }
});

test('no upgrade and no tunnel', async () => {
  for (const upgrade of ['h2c', 'websocket', 'HTTP/2.0']) {
    const head = `GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}`;
    const heard = await talk(server.port, [`${head}\r\n\r\n`, 20, LAST]);
    assert.deepEqual(
      answersIn(heard).map(({ status }) => status),
      [200, 200],
    );
  }
  const tunnel = await talk(server.port, ['CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n']);
  assertRefused(tunnel, 405, 'CONNECT');
});

test('a peer that leaves in the middle leaves nothing behind', async () => {
  const cuts = [1, HEAD.length - 3, HEAD.length + 10, SIGN_IN.length - 1, SIGN_IN.length];
  await Promise.all(cuts.map((at) => talk(server.port, [SIGN_IN.slice(0, at)], { giveUpMs: 20 })));
  await assertServes();
});

test('after all that it serves, and every line of the log names its request', async () => {
  await assertServes();
  const lines = linesOf(besidesEngines(server.log));
  assert.ok(lines.length > 50);
  for (const line of lines) {
    assert.equal(typeof line.requestId, 'string', JSON.stringify(line));
    assert.notEqual(line.code, 'INTERNAL', JSON.stringify(line));
  }
});
