/** grpcurl, which knows the contract by reflection alone, and the lines that `propusk dev` prints. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { type InChild, startDev, temporaryFolder } from '../start.ts';
import { DEMO_DETAILS, runTool, tool } from './tools.ts';

const SERVICE = 'grpc.tradeapi.v1.auth.AuthService';
/** What grpcurl prints of the demo key's details: camelCase, and no zero values. */
const DETAILS = {
  mdPermissions: [
    { quoteLevel: 'QUOTE_LEVEL_DEPTH_OF_MARKET', mic: '#RBRD' },
    { quoteLevel: 'QUOTE_LEVEL_DEPTH_OF_MARKET', mic: '#WWCP' },
  ],
  accountIds: ['1899011'],
};

/** Runs it and answers what it printed. */
async function grpcurl(name: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTool(name, args);
  assert.equal(code, 0, stderr);
  return stdout;
}

/** Signs in and asks for the details, over the contract that the server itself tells. */
async function detailsBy(name: string, flags: readonly string[], server: InChild) {
  const call = async (method: string, request: object) => {
    const data = JSON.stringify(request);
    const answer = await grpcurl(
      name,
      ...[...flags, '-d', data, server.authority, `${SERVICE}/${method}`],
    );
    return JSON.parse(answer);
  };
  const { token } = await call('Auth', { secret: server.secret });
  const { createdAt, expiresAt, ...details } = await call('TokenDetails', { token });
  assert.equal(Date.parse(expiresAt) - Date.parse(createdAt), 903_000);
  return details;
}

for (const name of ['grpcurl', 'grpcurl-v1alpha']) {
  test(`${name} lists, describes and calls`, async () => {
    await using server = await startDev();
    const flags = ['-plaintext'];
    const services = (await grpcurl(name, ...flags, server.authority, 'list')).trim().split('\n');
    assert.ok(services.includes(SERVICE), services.join());
    const described = await grpcurl(name, ...flags, server.authority, 'describe', SERVICE);
    assert.match(
      described,
      /rpc TokenDetails ?\( ?\.grpc\.tradeapi\.v1\.auth\.TokenDetailsRequest/,
    );
    assert.match(described, /post: ?"\/v1\/sessions\/details"/);
    const message = `${SERVICE.replace('AuthService', 'MDPermission')}`;
    const fields = await grpcurl(name, ...flags, server.authority, 'describe', message);
    assert.match(fields, /oneof condition/);
    assert.deepEqual(await detailsBy(name, flags, server), DETAILS);
  });

  test(`${name} calls over TLS`, async () => {
    await using server = await startDev({ args: ['--tls'] });
    const flags = ['-cacert', path.join(server.folder, 'tls.crt')];
    assert.deepEqual(await detailsBy(name, flags, server), DETAILS);
  });
}

test('grpcurl shows the details of an error', async () => {
  await using server = await startDev();
  const args = ['-plaintext', '-d', '{"token":"x"}', server.authority, `${SERVICE}/TokenDetails`];
  const { code, stderr } = await runTool('grpcurl', args);
  assert.equal(code, 64 + 16);
  assert.match(stderr, /Code: Unauthenticated/);
  assert.match(stderr, /"reason": "TOKEN_INVALID"/);
  assert.match(stderr, /Срок действия токена истек или токен недействителен/);
});

describe('the lines that propusk dev prints', () => {
  for (const args of [[], ['--tls'], ['--tls', '--listen', '0.0.0.0:0']]) {
    test(`run as they are (${args.join(' ') || 'plaintext'})`, async () => {
      tool('grpcurl');
      tool('curl');
      // A folder that a shell would take apart if it were not quoted.
      const folder = path.join(temporaryFolder(), "it's a folder");
      mkdirSync(folder);
      await using server = await startDev({ args, folder });
      const { stdout } = server.output;
      const lines = stdout.split('\n').filter((line) => /^ {2}(TOKEN=|curl |grpcurl )/.test(line));
      assert.equal(lines.length, 3, stdout);
      const [signIn, byCurl, byGrpcurl] = lines;
      const script = `${signIn}\n${byCurl}\necho\n${byGrpcurl}`;
      const { code, stdout: printed, stderr } = await runTool('bash', ['-euc', script]);
      assert.equal(code, 0, stderr);
      const [rest = '', ...grpc] = printed.split('\n');
      const { created_at, expires_at, ...details } = JSON.parse(rest);
      assert.deepEqual(details, DEMO_DETAILS);
      const { createdAt, expiresAt, ...overGrpc } = JSON.parse(grpc.join('\n'));
      assert.deepEqual(overGrpc, DETAILS);
      assert.deepEqual([createdAt, expiresAt], [created_at, expires_at]);
    });
  }
});
