/**
 * Session tokens: JWTs, HS256, made and read here alone.
 *
 * A token says who, not what: issuer, client (sub), session (jti), API key (key), and its life.
 * It is genuine only if it is, byte for byte, what `signToken` makes of what it says. That one rule
 * leaves no room for another algorithm, an embedded key, a `crit`, duplicate or unknown claims,
 * trailing data, or base64url that is not canonical.
 */
import { type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Random } from './clock.ts';
import { hmacOf } from './hmac.ts';

const ISSUER = 'propusk';
/** Characters; ours have some 330. Longer ones are refused before any work is spent on them. */
const TOKEN_LENGTH_MAX = 2048;
/** The end of the year 9999, the last that a Timestamp can say; seconds since 1970. */
const SECONDS_MAX = 253_402_300_799;

export interface Claims {
  readonly clientId: string;
  readonly sessionId: string;
  readonly keyId: string;
  /** Seconds since 1970, whole. */
  readonly issuedAt: number;
  /** Seconds since 1970, whole. */
  readonly expiresAt: number;
}

export interface SigningKey {
  /** The JWT's kid. */
  readonly id: string;
  readonly key: KeyObject;
}

/** What an id of a signing key looks like. */
const KEY_ID = /^[0-9a-f]{12}$/;

/** A new id for a signing key. */
export function newSigningKeyId(random: Random): string {
  return random(6).toString('hex');
}

/** Why a token is not genuine; for the log alone. */
export type TokenFlaw = 'TOKEN_EMPTY' | 'TOKEN_MALFORMED' | 'TOKEN_FORGED';

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function headerOf(keyId: string): string {
  return base64url(JSON.stringify({ alg: 'HS256', typ: 'JWT', kid: keyId }));
}

const HEADER_LENGTH = headerOf('0'.repeat(12)).length;

/** The id of the key that a header names; empty where it is none that we would give. */
function keyIdOf(header: string): string {
  const end = Buffer.from(header, 'base64url').toString('latin1').slice(-14, -2);
  return KEY_ID.test(end) ? end : '';
}

function payloadOf(claims: Claims): string {
  return base64url(
    JSON.stringify({
      iss: ISSUER,
      sub: claims.clientId,
      jti: claims.sessionId,
      key: claims.keyId,
      iat: claims.issuedAt,
      exp: claims.expiresAt,
    }),
  );
}

/** Makes the token that says this. */
export function signToken(claims: Claims, signingKey: SigningKey): string {
  const signed = `${headerOf(signingKey.id)}.${payloadOf(claims)}`;
  return `${signed}.${hmacOf(signingKey.key, signed)}`;
}

function readClaims(payload: string): Claims | undefined {
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const { sub, jti, key, iat, exp } = json;
  if (typeof sub !== 'string' || typeof jti !== 'string' || typeof key !== 'string')
    return undefined;
  if (!isInstant(iat) || !isInstant(exp)) return undefined;
  return { clientId: sub, sessionId: jti, keyId: key, issuedAt: iat, expiresAt: exp };
}

/** Whole seconds that a Timestamp can say. */
function isInstant(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= SECONDS_MAX;
}

/** Reads tokens that any of its keys signed. It does not look at the time. */
export class TokenReader {
  /** By the only header that each key's tokens have. */
  readonly #keys = new Map<string, KeyObject>();

  constructor(keys: Iterable<SigningKey>) {
    this.add(keys);
  }

  /** From now on it reads what these signed, too. */
  add(keys: Iterable<SigningKey>): void {
    for (const { id, key } of keys) this.#keys.set(headerOf(id), key);
  }

  /** Whether the token says that it was signed by a key of ours that is not known here. */
  isOfUnknownKey(token: string): boolean {
    const header = token.slice(0, token.indexOf('.'));
    if (header.length !== HEADER_LENGTH || this.#keys.has(header)) return false;
    return header === headerOf(keyIdOf(header));
  }

  /** The claims of a genuine token, else what is wrong with it. */
  read(token: string): Claims | TokenFlaw {
    if (token === '') return 'TOKEN_EMPTY';
    if (token.length > TOKEN_LENGTH_MAX) return 'TOKEN_MALFORMED';
    const [header, payload, signature, ...rest] = token.split('.');
    if (header === undefined || payload === undefined || signature === undefined) {
      return 'TOKEN_MALFORMED';
    }
    if (rest.length > 0) return 'TOKEN_MALFORMED';
    const key = this.#keys.get(header);
    if (key === undefined) return 'TOKEN_FORGED';
    const given = Buffer.from(signature);
    const expected = Buffer.from(hmacOf(key, `${header}.${payload}`));
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      return 'TOKEN_FORGED';
    }
    const claims = readClaims(payload);
    if (claims === undefined || payloadOf(claims) !== payload) return 'TOKEN_MALFORMED';
    return claims;
  }
}
