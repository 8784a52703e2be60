/** Has a server of its own serve, be asked and stop, for a test that looks on from outside. */
import assert from 'node:assert/strict';
import { runProgram, startServeApart } from '../start.ts';

const server = await startServeApart();
const { code, stdout, stderr } = await runProgram(['bootstrap'], { env: server.env });
assert.equal(code, 0, stderr);
const authorization = stdout.trim();
const made = await fetch(`${server.internalUrl}/admin/v1/clients?request_id=1`, {
  method: 'POST',
  headers: { authorization },
  body: JSON.stringify({ id: 'acme', name: 'Acme' }),
});
assert.equal(made.status, 200, await made.text());
const refused = await fetch(`${server.url}/v1/sessions`, {
  method: 'POST',
  body: '{"secret":"x"}',
});
assert.equal(refused.status, 401, await refused.text());
assert.equal((await fetch(`${server.internalUrl}/metrics`)).status, 200);
assert.equal(await server.stop(), 0, server.output.stderr);
process.exit();
