/**
 * Our REST against an oracle: grpc-gateway in front of our own gRPC port. Both are asked the same
 * requests, made by chance from a fixed seed, and must give the same status and the same JSON, but
 * for the differences that are listed.
 *
 * GATEWAY_SEED makes other requests, GATEWAY_TIMES makes more of them.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { Asked } from './gateway/ask.ts';
import { Comparison } from './gateway/compare.ts';
import { DIFFERENCES } from './gateway/differences.ts';
import {
  anyRequests,
  bodyRequests,
  brokenRequests,
  failureRequests,
  otherTypes,
  queryRequests,
  wrongVerbs,
} from './gateway/requests.ts';
import { startPair } from './gateway/server.ts';

const SEED = Number(process.env.GATEWAY_SEED ?? 20_260);
const TIMES = Number(process.env.GATEWAY_TIMES ?? 1);

const pair = await startPair();
const comparison = new Comparison(pair);
after(() => pair[Symbol.asyncDispose]());

for (const difference of DIFFERENCES) {
  test(`a difference that is wanted: ${difference.name}`, async () => {
    const found = await comparison.compare(difference.example);
    assert.deepEqual(
      found.map(({ name }) => name),
      [difference.name],
    );
  });
}

const KINDS: readonly [what: string, requests: fc.Arbitrary<Asked>, count: number][] = [
  ['any route', anyRequests, 1400],
  ['queries', queryRequests, 900],
  ['bodies', bodyRequests, 1100],
  ['broken bodies', brokenRequests, 700],
  ['other verbs', wrongVerbs, 150],
  ['other content types', otherTypes, 150],
  ['failures of the service', failureRequests, 200],
];

for (const [what, requests, count] of KINDS) {
  test(`the same answers: ${what}`, async () => {
    const property = fc.asyncProperty(requests, async (asked) => {
      await comparison.compare(asked);
    });
    await fc.assert(property, { seed: SEED, numRuns: count * TIMES });
  });
}

test('what was compared', (t) => {
  t.diagnostic(`seed ${SEED}: ${comparison.requests} requests`);
  for (const { name } of DIFFERENCES) t.diagnostic(`${comparison.met.get(name)} times: ${name}`);
  assert.ok(comparison.requests >= 4000);
});
