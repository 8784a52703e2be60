/** `propusk check`: what a backend would hear, and an exit code for scripts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { QuoteLevel } from '../src/domain/permission.ts';
import { granted, Holder } from './access-scene.ts';
import { AdministeredServer } from './administration.ts';
import { Terminal } from './terminal.ts';

let server: AdministeredServer;
const backend = new Terminal();

before(async () => {
  server = await AdministeredServer.start();
  const owner = new Terminal();
  await owner.logIn(server, server.operators.owner.token);
  const file = owner.file('orders.token');
  await owner.does('operator', 'create', 'orders', '--role', 'service', '--new-token-file', file);
  await backend.logIn(server, readFileSync(file, 'utf8').trim());
});
after(() => server[Symbol.asyncDispose]());

test('tells what is allowed by 0, what is not by 9, and each by a word', async () => {
  const permissions = [{ ...granted('XNAS', QuoteLevel.LAST_PRICE), delayMinutes: 15 }];
  const holder = await Holder.make(server.server.store, permissions);
  const token = await server.outside.rest1.auth(holder.secret);
  for (const [args, code, refusal] of [
    [[], 0, ''],
    [['--account', holder.trading, '--trade'], 0, ''],
    [['--account', holder.readonly, '--trade'], 9, 'READONLY_ACCOUNT'],
    [['--account', 'other'], 9, 'ACCOUNT_NOT_IN_TOKEN'],
    [['--mic', 'XNAS', '--level', 'last_price'], 0, ''],
    [['--mic', 'XNAS', '--level', 'DEPTH_OF_BOOK'], 9, 'QUOTE_LEVEL_TOO_LOW'],
  ] as const) {
    const answer = await backend.run(['check', ...args, '-o', 'json'], token);
    assert.equal(answer.code, code, answer.stderr);
    const { allowed, refusal: told, client_id } = JSON.parse(answer.stdout);
    assert.deepEqual([allowed, told, client_id], [code === 0, refusal, holder.id]);
    assert.equal(answer.stderr.includes(refusal), true);
    assert.equal(answer.stderr === '', code === 0);
  }
  const shown = await backend.run(['check', '--mic', 'XNAS'], token);
  assert.match(shown.stdout, /ALLOWED +yes[\s\S]+SEES +LAST_PRICE@15/);
  const unknown = await backend.run(['check', '-o', 'json'], 'x');
  assert.deepEqual([unknown.code, JSON.parse(unknown.stdout).refusal], [9, 'TOKEN_INVALID']);
});

test('tells a question that cannot be asked from one that is answered with no', async () => {
  for (const args of [
    ['--level', 'ACCESS_FORBIDDEN'],
    ['--level', 'ALL'],
    ['--level', 'LAST_PRICE'],
    ['--mic', 'nasdaq'],
  ]) {
    assert.equal((await backend.run(['check', ...args], 'x')).code, 2, args.join(' '));
  }
  assert.equal((await backend.run(['check'], '')).code, 2, 'no token');
  assert.equal((await backend.run(['client', 'list'])).code, 3, 'it may do nothing else');
});
