/** Forged tokens: a server, its real key, and tokens that are right in all but one thing. */
import assert from 'node:assert/strict';
import { createHmac, type KeyObject } from 'node:crypto';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock, systemRandom } from '../src/domain/clock.ts';
import { MasterKey } from '../src/domain/master-key.ts';
import { readMasterKey } from '../src/ops/files.ts';
import { openSigningKeys } from '../src/ops/signing-keys.ts';
import { failureOf } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { type InProcess, startHere } from './start.ts';
import { claimsOf } from './steps.ts';

export function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

export type Changes = Readonly<Record<string, unknown>>;

/** What an attacker can make who has a token, and even the key. */
export class Forge implements AsyncDisposable {
  readonly server: InProcess;
  readonly four: Four;
  /** The key that signs, as the server has it. */
  readonly signing: { readonly id: string; readonly key: KeyObject };
  /** A token that is taken, and its three parts. */
  readonly good: string;
  readonly head: string;
  readonly body: string;
  readonly mac: string;
  /** What that token says. */
  readonly header: Changes & { readonly kid: string };
  readonly claims: ReturnType<typeof claimsOf>;
  readonly #expected: unknown;

  private constructor(
    server: InProcess,
    four: Four,
    signing: Forge['signing'],
    good: string,
    expected: unknown,
  ) {
    [this.server, this.four, this.signing, this.good] = [server, four, signing, good];
    [this.head = '', this.body = '', this.mac = ''] = good.split('.');
    this.header = { alg: 'HS256', typ: 'JWT', kid: signing.id };
    this.claims = claimsOf(good);
    this.#expected = expected;
  }

  static async open(): Promise<Forge> {
    const server = await startHere();
    const four = new Four(server);
    const masterKey = new MasterKey(readMasterKey(path.join(server.folder, 'master.key')));
    const { store } = server.server;
    const [signing] = await openSigningKeys(store, masterKey, systemClock, systemRandom);
    // What every refusal must be, taken from the plainest.
    const { status } = await failureOf(four.rest1.tokenDetails('nonsense'));
    return new Forge(server, four, signing, await four.grpc.auth(server.secret), status);
  }

  /** A token of these texts, under the real key unless another is given. */
  seal(header: string, payload: string, key = this.signing.key, hash = 'sha256'): string {
    return this.sealParts(encode(header), encode(payload), key, hash);
  }

  sealParts(header: string, payload: string, key = this.signing.key, hash = 'sha256'): string {
    const mac = createHmac(hash, key).update(`${header}.${payload}`).digest('base64url');
    return `${header}.${payload}.${mac}`;
  }

  withHeader(change: Changes, key = this.signing.key, hash = 'sha256'): string {
    const header = JSON.stringify({ ...this.header, ...change });
    return this.seal(header, JSON.stringify(this.claims), key, hash);
  }

  withHeaderText(header: string): string {
    return this.seal(header, JSON.stringify(this.claims));
  }

  withClaims(change: Changes): string {
    return this.withClaimsText(JSON.stringify({ ...this.claims, ...change }));
  }

  withClaimsText(payload: string): string {
    return this.seal(JSON.stringify(this.header), payload);
  }

  async assertRefused(token: string): Promise<void> {
    for (const client of [this.four.rest1, this.four.grpc]) {
      const failure = await failureOf(client.tokenDetails(token));
      assert.deepEqual(failure.status, this.#expected, client.name);
      assert.equal(failure.code, 16);
    }
  }

  /** One test of many tokens, all refused alike. */
  refuse(group: string, tokens: Readonly<Record<string, string>>): void {
    test(group, async () => {
      for (const [what, token] of Object.entries(tokens)) {
        assert.notEqual(token, this.good, what);
        await this.assertRefused(token).catch((cause) => {
          throw new Error(`${what}: ${token.slice(0, 400)}`, { cause });
        });
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.four[Symbol.asyncDispose]();
    await this.server.stop();
  }
}
