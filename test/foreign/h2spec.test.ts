/**
 * h2spec looks for what a server takes, and may not take, of HTTP/2. It runs against our port and, for
 * comparison, against a bare HTTP/2 server of Node's: what that one passes, ours must pass too.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { h2spec, type Report } from './h2spec/report.ts';
import { certificate, startBare, startOurs, TARGET } from './h2spec/servers.ts';

/** How many cases this version has. */
const CASES = 146;

const FORGOTTEN =
  'the library inside Node forgets a stream when it is closed, and ignores what still comes for it; ' +
  'RFC 9113 lets a server treat that as an error, and no longer demands it';
const NO_PRIORITIES =
  'the library inside Node ignores PRIORITY frames unread; RFC 9113 has given them up';

/** What fails on both servers, since it is decided below either, and why. */
const FAILS_IN_NODE: Readonly<Record<string, string>> = {
  // closed: DATA, and HEADERS, after the client's RST_STREAM.
  'http2/5.1/8': FORGOTTEN,
  'http2/5.1/9': FORGOTTEN,
  // closed: DATA, and HEADERS, after END_STREAM of both sides.
  'http2/5.1/11': FORGOTTEN,
  'http2/5.1/12': FORGOTTEN,
  // HEADERS of stream 3 after those of stream 5.
  'http2/5.1.1/2':
    'stream 3 was closed by the opening of stream 5, and is ignored like those above',
  // PRIORITY of a stream that shall depend on itself, and of stream 0.
  'http2/5.3.1/2': NO_PRIORITIES,
  'http2/6.3/1': NO_PRIORITIES,
  // PING with ACK, then one without.
  'http2/6.7/2':
    'Node ends a connection on which a ping is answered that it never sent; the case wants it to go on',
  // WINDOW_UPDATE over the limit on a stream.
  'http2/6.9.1/3': 'Node ends the whole connection, where ending the one stream would do',
};

function tell(name: string, { run, skipped, failed }: Report): void {
  const passed = run.size - skipped.size - failed.size;
  process.stdout.write(
    `h2spec, ${name}: ${run.size} run, ${passed} passed, ${failed.size} failed` +
      `${skipped.size > 0 ? `, ${skipped.size} do not apply` : ''}\n`,
  );
}

for (const isTls of [false, true]) {
  const kind = isTls ? 'TLS' : 'plaintext';
  test(`h2spec over ${kind}: nothing fails here that Node alone passes`, async () => {
    const pair = await certificate(isTls);
    await using here = await startOurs(pair);
    await using there = await startBare(pair);
    const [ours, bare] = await Promise.all(
      [here, there].map(({ port }) =>
        h2spec({ port, path: TARGET, isTls }, (id) => id in FAILS_IN_NODE),
      ),
    );
    assert.ok(ours !== undefined && bare !== undefined);
    tell(`our server over ${kind}`, ours);
    tell(`a bare server over ${kind}`, bare);
    assert.equal(ours.run.size, CASES);
    assert.equal(bare.run.size, CASES);
    assert.equal(ours.skipped.size, 0);
    const alone = [...ours.failed.keys()].filter((id) => !bare.failed.has(id));
    assert.deepEqual(alone, []);
    const unexplained = [...ours.failed].filter(([id]) => !(id in FAILS_IN_NODE));
    assert.deepEqual(unexplained, []);
  });
}
