/** From what a caller shows, a secret or a token, to who it is and what that key may do now. */
import type { Clock } from '../domain/clock.ts';
import { continueWith } from '../domain/continue-with.ts';
import { AppError, type KnownKey } from '../domain/errors.ts';
import type { Grant } from '../domain/grant.ts';
import type { MasterKey } from '../domain/master-key.ts';
import { refuseSecret } from '../domain/secret.ts';
import { isSourceAllowed } from '../domain/source-networks.ts';
import type { Claims, TokenFlaw } from '../domain/token.ts';
import type { Store } from '../store/store.ts';
import type { Grants } from './grants.ts';
import type { SessionOf } from './revoked-sessions.ts';
import type { Tokens } from './shared-tokens.ts';

/** Who calls. */
export interface Caller {
  readonly grant: Grant;
  /** Of the token that was shown; undefined when it was a secret. */
  readonly claims: Claims | undefined;
  /** What the secret that was shown is known by. */
  readonly secretMac?: string;
}

export interface AdmissionOptions {
  readonly reader: Tokens;
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
  /** Kept, since to find the first of a Map anew is to pass all that were deleted before it. */
  readonly #oldest = this.#genuine.keys();

  /** How often a token was known, and how often its signature had to be checked. */
  readonly lookups = { hits: 0, misses: 0 };

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * Who shows this token. Its time, its session and its key are looked at on every call.
   * @throws AppError TOKEN_INVALID, the same whatever is wrong; the log's reason tells what it was
   */
  ofToken(token: string): Caller | Promise<Caller> {
    return continueWith(this.claimsOf(token), (claims) => this.ofGenuine(claims));
  }

  /**
   * Who shows a token that says this. Its time, its session and its key are looked at. No promise when
   * the key's grant is held.
   * @throws AppError TOKEN_INVALID
   */
  ofGenuine(claims: Claims): Caller | Promise<Caller> {
    const held = this.#options.grants.of(claims.keyId, claims);
    // After the wait: what happened meanwhile counts.
    return continueWith(held, (grant) => this.#callerInTime(claims, grant));
  }

  /**
   * Who showed a token that was good: its session and its key are looked at again, its time is not.
   * @throws AppError TOKEN_INVALID
   */
  async ofClaims(claims: Claims): Promise<Caller> {
    const held = this.#options.grants.of(claims.keyId, claims);
    return this.#callerOf(claims, held instanceof Promise ? await held : held);
  }

  /**
   * Whose secret this is. No promise when it is held, and the key's grant as well.
   * @param from the address that it is shown from
   * @param session that the secret opened, where it is to be looked at afterwards
   * @throws AppError SECRET_INVALID, the same whatever is wrong; the log's reason tells what it was
   */
  ofSecret(secret: string, from: string, session?: SessionOf): Caller | Promise<Caller> {
    const { store, grants, masterKey, clock } = this.#options;
    const secretMac = masterKey.macOfSecret(secret);
    const callerOf = (grant: Grant): Caller => {
      if (!isSourceAllowed(grant.sourceNetworks, from)) throw refuseSecret('SOURCE_NOT_ALLOWED');
      return { claims: undefined, grant, secretMac };
    };
    const held = grants.keyIdOfSecret(secretMac);
    if (held !== undefined) return continueWith(this.ofKey(held, session), callerOf);
    return store.keyIdOfSecret(secretMac, clock.now()).then((found) => {
      if (found === undefined) throw refuseSecret('SECRET_UNKNOWN');
      return continueWith(this.ofKey(found, session), callerOf);
    });
  }

  /**
   * What a key that signed in before may do now. No promise when its grant is held.
   * @throws AppError SECRET_INVALID when it works no more
   */
  ofKey(keyId: string, session?: SessionOf): Grant | Promise<Grant> {
    return continueWith(this.#options.grants.of(keyId, session), (grant) => {
      if (grant === undefined) throw refuseSecret('KEY_UNKNOWN', knownKeyOf(keyId, grant));
      if (grant.refusal !== null) throw refuseSecret(grant.refusal, grant);
      return grant;
    });
  }

  #callerInTime(claims: Claims, grant: Grant | undefined): Caller {
    if (claims.expiresAt * 1000 <= this.#options.clock.now()) {
      throw refuseToken('TOKEN_EXPIRED', knownKeyOf(claims.keyId, grant));
    }
    return this.#callerOf(claims, grant);
  }

  #callerOf(claims: Claims, grant: Grant | undefined): Caller {
    const isRevoked = this.#options.grants.isSessionRevoked(claims.sessionId);
    if (grant !== undefined && grant.refusal === null && !isRevoked) return { claims, grant };
    const reason = isRevoked ? 'SESSION_REVOKED' : (grant?.refusal ?? 'KEY_UNKNOWN');
    throw refuseToken(reason, knownKeyOf(claims.keyId, grant));
  }

  /**
   * What a genuine token says, also one that is not good any more. No promise where its signing key is
   * known here.
   * @throws AppError TOKEN_INVALID
   */
  claimsOf(token: string): Claims | Promise<Claims> {
    const known = this.#genuine.get(token);
    if (known !== undefined) {
      this.lookups.hits++;
      return known;
    }
    this.lookups.misses++;
    const read = this.#options.reader.read(token);
    return continueWith(read, (found) => this.#remember(token, found));
  }

  #remember(token: string, claims: Claims | TokenFlaw): Claims {
    if (typeof claims === 'string') throw refuseToken(claims);
    if (this.#genuine.size >= this.#options.tokensCachedMax) {
      const oldest = this.#oldest.next().value;
      if (oldest !== undefined) this.#genuine.delete(oldest);
    }
    this.#genuine.set(token, claims);
    return claims;
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
