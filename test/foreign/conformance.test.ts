/**
 * The suite by which the makers of Connect test gRPC and gRPC-Web servers, theirs and others':
 * HTTP/1.1 and HTTP/2, plaintext and TLS, plain and gzip, all four kinds of methods, and clients that
 * break the rules. What it may expect of us is in conformance/config.yaml.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { runTool, tool } from './tools.ts';

const FOLDER = path.join(import.meta.dirname, 'conformance');
/** As many as this version has for that configuration; fewer would mean that some were left out. */
const CASES_MIN = 1254;

test('the conformance suite of connectrpc.com passes', async () => {
  tool('conformance.binpb');
  const config = ['--mode', 'server', '--conf', path.join(FOLDER, 'config.yaml')];
  const server = [process.execPath, path.join(FOLDER, 'server.ts')];
  const { code, stdout, stderr } = await runTool('connectconformance', [
    ...config,
    '--',
    ...server,
  ]);
  const printed = `${stdout}${stderr}`;
  const [closing, total, passed, failed] =
    /Total cases: (\d+)\n(\d+) passed, (\d+) failed/.exec(printed) ?? [];
  assert.ok(closing !== undefined, `no closing lines: ${printed}`);
  process.stdout.write(`connectrpc.com/conformance: ${closing.replace('\n', '; ')}\n`);
  assert.equal(Number(failed), 0, printed);
  assert.equal(code, 0, printed);
  assert.ok(Number(total) >= CASES_MIN, closing);
  assert.equal(passed, total);
});
