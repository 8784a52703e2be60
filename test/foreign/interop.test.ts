/**
 * The interop client of grpc-go, the one by which gRPC's own implementations are tested against each
 * other, calls our server: over plaintext and over TLS.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type InProcess, startHere } from '../start.ts';
import { linesOf } from '../wait.ts';
import { registration } from './interop/service.ts';
import { runTool } from './tools.ts';

const CLIENT = 'grpc-interop-client';
/** Not the host that is connected to: the certificate must be checked against what the client is told. */
const TLS_NAME = 'interop.test';

const CASES = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
  'pick_first_unary',
  // Not in the client's own list, but it has them: the same call again and again, over one
  // connection and over a new one each time.
  'rpc_soak',
  'channel_soak',
];

/**
 * What the client has besides. gRPC's description of the cases also knows client_compressed_unary,
 * server_compressed_unary, client_compressed_streaming, server_compressed_streaming and cacheable_unary;
 * this client does not have them. Compression is tested beside the codec, and by the conformance suite.
 */
const LEFT_OUT: Readonly<Record<string, string>> = {
  compute_engine_creds: 'needs an account of Google',
  service_account_creds: 'needs an account of Google',
  jwt_token_creds: 'needs an account of Google',
  per_rpc_creds: 'needs an account of Google',
  oauth2_auth_token: 'needs an account of Google',
  google_default_credentials: 'needs an account of Google',
  compute_engine_channel_credentials: 'needs an account of Google',
  orca_per_rpc: 'reports the load for load balancers, which is not sent here',
  orca_oob: 'reports the load for load balancers, which is not sent here',
};

test('no case of the client is forgotten', async () => {
  const { stdout, stderr } = await runTool(CLIENT, ['--help']);
  const known = [...`${stdout}${stderr}`.matchAll(/^\s+([a-z0-9_]+) ?: /gm)].map(
    ([, name]) => name,
  );
  const soaks = ['rpc_soak', 'channel_soak'];
  assert.deepEqual([...known, ...soaks].sort(), [...CASES, ...Object.keys(LEFT_OUT)].sort());
});

for (const [kind, args] of [
  ['plaintext', []],
  ['TLS', ['--tls', '--tls-name', TLS_NAME]],
] as const) {
  describe(`gRPC interop over ${kind}`, () => {
    let server: InProcess;
    let passed = 0;
    before(async () => {
      server = await startHere([...args, '--stream-body-bytes-max', '1048576'], {
        extraServices: [registration],
      });
    });
    after(async () => {
      await server.stop();
      process.stdout.write(
        `gRPC interop over ${kind}: ${CASES.length} run, ${passed} passed, ` +
          `${CASES.length - passed} failed, ${Object.keys(LEFT_OUT).length} left out\n`,
      );
    });

    for (const name of CASES) {
      test(name, async () => {
        const flags = ['--server_host', '127.0.0.1', '--server_port', `${server.port}`];
        if (kind === 'TLS') {
          const authority = path.join(server.folder, 'tls.crt');
          flags.push('--use_tls', '--use_test_ca', '--ca_file', authority);
          flags.push('--server_host_override', TLS_NAME);
        }
        const env = { GRPC_GO_LOG_SEVERITY_LEVEL: 'info' };
        const { code, stderr } = await runTool(CLIENT, [...flags, '--test_case', name], env);
        assert.equal(code, 0, stderr);
        // It says so after the last check of the case, and nowhere else.
        assert.match(stderr, /INFO: .*\[interop\] \w+ done$/m);
        passed++;
      });
    }

    test('the server found nothing wrong with itself', () => {
      const lines = linesOf(server.log);
      assert.ok(lines.length > CASES.length);
      assert.deepEqual(
        lines.filter(({ code }) => code === 'INTERNAL'),
        [],
      );
    });
  });
}
