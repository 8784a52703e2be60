/** From a token to who shows it and what that key may do now. */
import type { Clock } from '../domain/clock.ts';
import { AppError } from '../domain/errors.ts';
import type { Grant } from '../domain/grant.ts';
import type { Claims, TokenReader } from '../domain/token.ts';
import type { Grants } from './grants.ts';

export interface Admitted {
  readonly claims: Claims;
  readonly grant: Grant;
}

export class Admission {
  readonly #reader: TokenReader;
  readonly #grants: Grants;
  readonly #clock: Clock;
  readonly #max: number;
  /** Genuine tokens seen before, so that their signature is checked once. */
  readonly #genuine = new Map<string, Claims>();

  /** @param tokensCachedMax genuine tokens remembered at most; the oldest goes first */
  constructor(reader: TokenReader, grants: Grants, clock: Clock, tokensCachedMax: number) {
    this.#reader = reader;
    this.#grants = grants;
    this.#clock = clock;
    this.#max = tokensCachedMax;
  }

  /**
   * Who shows this token. Its time, its session and its key are looked at on every call.
   * @throws AppError TOKEN_INVALID, the same whatever is wrong; the log's reason tells what it was
   */
  async admit(token: string): Promise<Admitted> {
    const claims = this.#claimsOf(token);
    const held = this.#grants.of(claims.keyId);
    const grant = held instanceof Promise ? await held : held;
    // After the wait: what happened meanwhile counts.
    if (claims.expiresAt * 1000 <= this.#clock.now()) throw refuse('TOKEN_EXPIRED');
    if (this.#grants.isSessionRevoked(claims.sessionId)) throw refuse('SESSION_REVOKED');
    if (grant === undefined) throw refuse('KEY_UNKNOWN');
    if (grant.refusal !== null) throw refuse(grant.refusal);
    return { claims, grant };
  }

  #claimsOf(token: string): Claims {
    const known = this.#genuine.get(token);
    if (known !== undefined) return known;
    const claims = this.#reader.read(token);
    if (typeof claims === 'string') throw refuse(claims);
    if (this.#genuine.size >= this.#max) {
      const [oldest] = this.#genuine.keys();
      if (oldest !== undefined) this.#genuine.delete(oldest);
    }
    this.#genuine.set(token, claims);
    return claims;
  }
}

function refuse(logReason: string): AppError {
  return new AppError(
    'TOKEN_INVALID',
    'the token is malformed, forged, expired, revoked or empty; sign in again',
    { logReason },
  );
}
