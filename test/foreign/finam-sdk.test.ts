/** The official Python SDK, both its clients: signing in, renewal across a restart, its errors. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { startDev } from '../start.ts';
import { DEMO_DETAILS, restart, runTool, tool } from './tools.ts';

const SCRIPT = path.join(import.meta.dirname, 'python', 'sdk.py');
const KINDS = ['sync', 'async'] as const;
/** protobuf's own JSON leaves zero values out. */
const DETAILS = {
  md_permissions: DEMO_DETAILS.md_permissions.map(({ quote_level, mic }) => ({ quote_level, mic })),
  account_ids: DEMO_DETAILS.account_ids,
};

interface Line {
  readonly token?: string;
  readonly details?: Record<string, unknown>;
  readonly least_seconds_left?: number;
}

/** Runs one task of the script to its end. */
async function run(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runTool('python', [SCRIPT, ...args], env);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

for (const kind of KINDS) {
  test(`the ${kind} client gets a token and its details`, async () => {
    await using server = await startDev();
    const { details } = await run(['details', kind, server.authority, server.secret]);
    const { created_at, expires_at, ...rest } = details;
    assert.deepEqual(rest, DETAILS);
    assert.equal(Date.parse(expires_at) - Date.parse(created_at), 903_000);
  });

  test(`the ${kind} client does so over TLS, as it is in production`, async () => {
    await using server = await startDev({ args: ['--tls'] });
    const roots = path.join(server.folder, 'tls.crt');
    const endpoint = `localhost:${server.port}`;
    const { details } = await run(['details', kind, endpoint, server.secret, 'tls'], {
      GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: roots,
    });
    assert.deepEqual(details.account_ids, DETAILS.account_ids);
  });
}

/** A client that keeps its token fresh until it is told to stop. */
class Renewal {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(kind: string, endpoint: string, secret: string) {
    this.#child = spawn(tool('python'), [SCRIPT, 'renewal', kind, endpoint, secret], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  async next(): Promise<Line> {
    const { value, done } = await this.#lines.next();
    assert.ok(done !== true, 'the client ended early');
    return JSON.parse(value);
  }

  /** The last line: how close to its end any token came while it was current. */
  async stop(): Promise<number> {
    this.#child.stdin.end();
    for (;;) {
      const { least_seconds_left } = await this.next();
      if (least_seconds_left !== undefined) return least_seconds_left;
    }
  }

  [Symbol.dispose]() {
    this.#child.kill('SIGKILL');
  }
}

describe('renewal', { concurrency: 2 }, () => {
  // Long enough for the SDK's pauses of 1 s and 2 s before it subscribes again, and a start.
  const flags = ['--session-ttl', '10s'];
  const restarts = [
    ['sync', 'SIGTERM'],
    ['async', 'SIGKILL'],
  ] as const;
  for (const [kind, signal] of restarts) {
    test(`the ${kind} client never holds an expired token across ${signal}`, async (t) => {
      let server = await startDev({ args: flags });
      try {
        using client = new Renewal(kind, server.authority, server.secret);
        const tokens = new Set<string>();
        const renewed = async (count: number) => {
          for (let seen = 0; seen < count; ) {
            const { token, details } = await client.next();
            assert.ok(token !== undefined);
            assert.deepEqual(details?.account_ids, DETAILS.account_ids);
            if (!tokens.has(token)) seen++;
            tokens.add(token);
          }
        };
        // Auth's own, the one that the stream sends at once, and one renewed in time.
        await renewed(3);
        server = await restart(server, flags, signal);
        await renewed(3);
        const left = await client.stop();
        t.diagnostic(`${kind}: ${tokens.size} tokens, at least ${left.toFixed(1)} s were left`);
        assert.ok(left > 0, `${left} s`);
      } finally {
        await server.stop('SIGKILL');
      }
    });
  }
});

describe('errors', { concurrency: 3 }, () => {
  const typed = [
    ['UNAUTHENTICATED', 'AuthError'],
    ['NOT_FOUND', 'NotFoundError'],
    ['RESOURCE_EXHAUSTED', 'RateLimitError'],
    ['UNAVAILABLE', 'ServiceUnavailableError'],
    ['DEADLINE_EXCEEDED', 'DeadlineExceededError'],
    ['INTERNAL', 'InternalError'],
    ['INVALID_ARGUMENT', 'InvalidArgumentError'],
  ] as const;
  const meets = async (kind: string, method: string, code: string, type: string) => {
    await using server = await startDev({ args: ['--fault', `${method}=${code}`] });
    const found = await run(['error', kind, server.authority, server.secret]);
    assert.deepEqual(
      { ...found, details: undefined },
      {
        error: type,
        code,
        details: undefined,
        at: method === 'Auth' ? 'construction' : method,
      },
    );
  };
  for (const [code, type] of typed) {
    for (const kind of KINDS) {
      test(`${type} from TokenDetails, ${kind}`, () => meets(kind, 'TokenDetails', code, type));
      if (code === 'NOT_FOUND') continue;
      test(`${type} from signing in, ${kind}`, () => meets(kind, 'Auth', code, type));
    }
  }

  test('AuthError from an unknown secret', async () => {
    await using server = await startDev();
    for (const kind of KINDS) {
      const found = await run(['error', kind, server.authority, `${server.secret}x`]);
      assert.equal(found.error, 'AuthError');
      assert.equal(found.at, 'construction');
    }
  });

  test('NotFoundError from a key without an account', async () => {
    await using server = await startDev();
    const [, secret = ''] = /no account +(\S+)/.exec(server.output.stdout) ?? [];
    for (const kind of KINDS) {
      const found = await run(['error', kind, server.authority, secret]);
      assert.equal(found.error, 'NotFoundError');
      assert.equal(found.at, 'TokenDetails');
    }
  });
});

describe('a limit that is used up', { concurrency: 2 }, () => {
  for (const kind of KINDS) {
    test(`the ${kind} client waits as it is told to, and is then answered`, async (t) => {
      await using server = await startDev({ args: ['--limit', 'TokenDetails=2'] });
      const { code, stdout, stderr } = await runTool('python', [
        ...[SCRIPT, 'limit', kind, server.authority, server.secret],
      ]);
      assert.equal(code, 0, stderr);
      const seconds = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).seconds as number);
      const [first = 60, second = 60, third = 0] = seconds;
      t.diagnostic(`${kind}: the third call took ${third.toFixed(1)} s`);
      assert.ok(first + second < 30, 'the first two do not wait');
      // The place of the first is free 60 s after it was taken; sleeping clients are never early.
      assert.ok(first + second + third >= 60 - 1 && third < 75, `${third} s`);
      const refused = server.output.stderr.match(/"reason":"RATE_LIMITED"/g) ?? [];
      assert.equal(refused.length, 1, 'one call was refused, and none after the wait');
    });
  }
});
