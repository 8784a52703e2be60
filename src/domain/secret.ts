/**
 * Secrets as we make them: `psk_` for an API key's or `pop_` for an operator's token, 160 random bits
 * in base62, and a checksum, so that scanners find leaked ones. API secrets that others made are
 * taken as they are: only their HMAC is kept.
 */
import { createHash } from 'node:crypto';
import { AppError, type KnownKey } from './errors.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** What a secret begins with: an API key's, or an operator's token. */
export type SecretPrefix = 'psk_' | 'pop_';
/** 62^27 > 2^160. */
const BODY_LENGTH = 27;
/** 62^6 > 2^32. */
const CHECKSUM_LENGTH = 6;

function base62(value: bigint, length: number): string {
  let rest = value;
  let text = '';
  for (let i = 0; i < length; i++) {
    text = ALPHABET[Number(rest % 62n)] + text;
    rest /= 62n;
  }
  return text;
}

function checksum(body: string): string {
  const digest = createHash('sha256').update(body).digest();
  return base62(BigInt(digest.readUInt32BE(0)), CHECKSUM_LENGTH);
}

/** Writes 160 bits as a secret. */
export function formatSecret(bits: Buffer, prefix: SecretPrefix = 'psk_'): string {
  const body = base62(BigInt(`0x${bits.toString('hex')}`), BODY_LENGTH);
  return prefix + body + checksum(body);
}

/** True for a secret of our form whose checksum holds; tells a typo from an unknown secret. */
export function isWellFormedSecret(secret: string, prefix: SecretPrefix = 'psk_'): boolean {
  const body = secret.slice(prefix.length, -CHECKSUM_LENGTH);
  return (
    secret.startsWith(prefix) &&
    body.length === BODY_LENGTH &&
    secret.slice(-CHECKSUM_LENGTH) === checksum(body)
  );
}

/**
 * True for what begins like a secret of ours and is none: a typo, a part of one, or blanks around
 * it. Never told to callers of the public API.
 */
export function isMistypedSecret(secret: string): boolean {
  if (!/^p(?:sk|op)_/i.test(secret.trim())) return false;
  return !isWellFormedSecret(secret, 'psk_') && !isWellFormedSecret(secret, 'pop_');
}

/** The one refusal of a secret, whatever is wrong with it, and of the sessions that it opened. */
export function refuseSecret(logReason: string, knownKey?: KnownKey): AppError {
  return new AppError(
    'SECRET_INVALID',
    'the secret is unknown, revoked, expired or empty; check the API key',
    { logReason, ...(knownKey && { knownKey }) },
  );
}
