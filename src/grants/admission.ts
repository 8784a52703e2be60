/** From what a caller shows, a secret or a token, to who it is and what that key may do now. */
import type { Clock } from '../domain/clock.ts';
import { AppError, type KnownKey } from '../domain/errors.ts';
import type { Grant } from '../domain/grant.ts';
import type { MasterKey } from '../domain/master-key.ts';
import { refuseSecret } from '../domain/secret.ts';
import { isSourceAllowed } from '../domain/source-networks.ts';
import type { Claims, TokenReader } from '../domain/token.ts';
import type { Store } from '../store/store.ts';
import type { Grants } from './grants.ts';

/** Who calls. */
export interface Caller {
  readonly grant: Grant;
  /** Of the token that was shown; undefined when it was a secret. */
  readonly claims: Claims | undefined;
}

export interface AdmissionOptions {
  readonly reader: TokenReader;
  readonly grants: Grants;
  readonly store: Store;
  readonly masterKey: MasterKey;
  readonly clock: Clock;
  /** Genuine tokens remembered at most; the oldest goes first. */
  readonly tokensCachedMax: number;
}

export class Admission {
  readonly #options: AdmissionOptions;
  /** Genuine tokens seen before, so that their signature is checked once. */
  readonly #genuine = new Map<string, Claims>();

  /** How often a token was known, and how often its signature had to be checked. */
  readonly lookups = { hits: 0, misses: 0 };

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * Who shows this token. Its time, its session and its key are looked at on every call.
   * @throws AppError TOKEN_INVALID, the same whatever is wrong; the log's reason tells what it was
   */
  async ofToken(token: string): Promise<Caller> {
    return this.ofGenuine(this.claimsOf(token));
  }

  /**
   * Who shows a token that says this. Its time, its session and its key are looked at.
   * @throws AppError TOKEN_INVALID
   */
  async ofGenuine(claims: Claims): Promise<Caller> {
    const { grants, clock } = this.#options;
    const held = grants.of(claims.keyId);
    const grant = held instanceof Promise ? await held : held;
    // After the wait: what happened meanwhile counts.
    if (claims.expiresAt * 1000 <= clock.now()) {
      throw refuseToken('TOKEN_EXPIRED', knownKeyOf(claims.keyId, grant));
    }
    return this.#callerOf(claims, grant);
  }

  /**
   * Who showed a token that was good: its session and its key are looked at again, its time is not.
   * @throws AppError TOKEN_INVALID
   */
  async ofClaims(claims: Claims): Promise<Caller> {
    const held = this.#options.grants.of(claims.keyId);
    return this.#callerOf(claims, held instanceof Promise ? await held : held);
  }

  /** What a secret is known by. */
  macOf(secret: string): string {
    return this.#options.masterKey.macOfSecret(secret);
  }

  /**
   * Whose secret this is.
   * @param from the address that it is shown from
   * @throws AppError SECRET_INVALID, the same whatever is wrong; the log's reason tells what it was
   */
  async ofSecret(secret: string, from: string): Promise<Caller> {
    const { store, clock } = this.#options;
    const keyId = await store.keyIdOfSecret(this.macOf(secret), clock.now());
    if (keyId === undefined) throw refuseSecret('SECRET_UNKNOWN');
    const grant = await this.ofKey(keyId);
    if (!isSourceAllowed(grant.sourceNetworks, from)) throw refuseSecret('SOURCE_NOT_ALLOWED');
    return { claims: undefined, grant };
  }

  /**
   * What a key that signed in before may do now.
   * @throws AppError SECRET_INVALID when it works no more
   */
  async ofKey(keyId: string): Promise<Grant> {
    const grant = await this.#options.grants.of(keyId);
    if (grant === undefined) throw refuseSecret('KEY_UNKNOWN', knownKeyOf(keyId, grant));
    if (grant.refusal !== null) throw refuseSecret(grant.refusal, grant);
    return grant;
  }

  /**
   * What a genuine token says, also one that is not good any more.
   * @throws AppError TOKEN_INVALID
   */
  claimsOf(token: string): Claims {
    const known = this.#genuine.get(token);
    if (known !== undefined) {
      this.lookups.hits++;
      return known;
    }
    this.lookups.misses++;
    const claims = this.#options.reader.read(token);
    if (typeof claims === 'string') throw refuseToken(claims);
    if (this.#genuine.size >= this.#options.tokensCachedMax) {
      const [oldest] = this.#genuine.keys();
      if (oldest !== undefined) this.#genuine.delete(oldest);
    }
    this.#genuine.set(token, claims);
    return claims;
  }

  #callerOf(claims: Claims, grant: Grant | undefined): Caller {
    const isRevoked = this.#options.grants.isSessionRevoked(claims.sessionId);
    const knownKey = knownKeyOf(claims.keyId, grant);
    if (isRevoked) throw refuseToken('SESSION_REVOKED', knownKey);
    if (grant === undefined) throw refuseToken('KEY_UNKNOWN', knownKey);
    if (grant.refusal !== null) throw refuseToken(grant.refusal, knownKey);
    return { claims, grant };
  }
}

/** The key of a genuine token or secret, also where it is there no more. */
function knownKeyOf(keyId: string, grant: Grant | undefined): KnownKey {
  return grant ?? { keyId, callsMax: {} };
}

function refuseToken(logReason: string, knownKey?: KnownKey): AppError {
  return new AppError(
    'TOKEN_INVALID',
    'the token is malformed, forged, expired, revoked or empty; sign in again',
    { logReason, ...(knownKey && { knownKey }) },
  );
}
