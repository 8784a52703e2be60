/** Who is counted, and for what: alike in memory, and in counters that nodes share. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, failureOf } from './clients/client.ts';
import { figuresOf, passing, Scene } from './limits-scene.ts';
import { writeKey } from './steps.ts';

test('of 1,000 concurrent calls of one key over all protocols, exactly 200 pass', async () => {
  await using scene = await Scene.start();
  const { four, server } = scene;
  assert.equal(await passing(scene, 1000, (client) => client.auth(server.secret)), 200);
  // Another method has a limit of its own, and so has another key.
  const token = await four.grpc.auth(scene.secretOf('readonly'));
  assert.equal(await passing(scene, 1000, (client) => client.tokenDetails(token)), 200);
  await four.rest1.auth(scene.secretOf('every quote level'));
});

test('a key may have limits of its own', async () => {
  await using scene = await Scene.start();
  const { store } = scene.server.server;
  await writeKey(store, 'demo-levels', { callsMax: { Auth: 3, TokenDetails: 1000 } });
  const secret = scene.secretOf('every quote level');
  const token = await scene.four.grpc.auth(secret);
  assert.equal(await passing(scene, 20, (client) => client.auth(secret)), 2);
  assert.equal(await passing(scene, 300, (client) => client.tokenDetails(token)), 300);
});

test('a renewal stream counts once, when it is subscribed to', async () => {
  await using scene = await Scene.start(['--limit', 'SubscribeJwtRenewal=2']);
  const { four, server } = scene;
  for (const client of four.streaming) {
    for await (const token of client.renewal(server.secret)) {
      assert.ok(token);
      break;
    }
  }
  const failure = await failureOf(Array.fromAsync(four.grpc.renewal(server.secret)));
  assert.equal(failure.reason, 'RATE_LIMITED');
  assert.equal(figuresOf(failure.headers).name, 'SubscribeJwtRenewal');
});

test('guesses count for their address, and honest callers from there go on', async () => {
  await using scene = await Scene.start(['--address-calls-max', '8']);
  const { four, server } = scene;
  const guesses: ((client: Client) => Promise<unknown>)[] = [
    (client) => client.auth('psk_guess'),
    (client) => client.tokenDetails('a.b.c'),
    (client) => client.usage('a.b.c'),
  ];
  let left = 8;
  for (const [i, guess] of [...guesses, ...guesses, ...guesses].entries()) {
    const client = four.all[i % 4] as Client;
    const failure = await failureOf(guess(client));
    left = Math.max(0, left - 1);
    assert.equal(failure.code, i < 8 ? 16 : 8, `guess ${i}`);
    const { name, limit, remaining } = figuresOf(failure.headers);
    assert.deepEqual([name, limit, remaining], ['address', 8, left]);
  }
  // Broken requests cannot be tied to a key either.
  const broken = await four.rest1.send('POST', '/v1/sessions', { body: '{' });
  assert.equal(broken.status, 429);
  const token = await four.web.auth(server.secret);
  await four.grpc.tokenDetails(token);
});

test('who held a good token hears that it is over, whatever others of the address guess', async () => {
  await using scene = await Scene.start(['--address-calls-max', '3', '--limit', 'TokenDetails=5']);
  const { four, server } = scene;
  const token = await four.rest1.auth(server.secret);
  scene.pass(16 * 60_000);
  const ask = async (client: Client, text: string) => {
    const { code, headers } = await failureOf(client.tokenDetails(text));
    const { name, remaining } = figuresOf(headers);
    return [code, name, remaining];
  };
  // What was good once and what never was look alike.
  assert.deepEqual(await ask(four.grpc, token), [16, 'address', 2]);
  assert.deepEqual(await ask(four.grpc, 'a.b.c'), [16, 'address', 1]);
  assert.deepEqual(await ask(four.web, 'a.b.c'), [16, 'address', 0]);
  assert.deepEqual(await ask(four.web, 'a.b.c'), [8, 'address', 0]);
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(await ask(four.all[i % 4] as Client, token), [16, 'address', 0]);
  }
  // Such calls count for the key.
  assert.deepEqual(await ask(four.rest2, token), [8, 'address', 0]);
  assert.ok(await four.rest1.auth(server.secret));
});
