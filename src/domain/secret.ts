/**
 * API secrets as we make them: `psk_`, 160 random bits in base62, and a checksum, so that scanners
 * find leaked ones. Secrets that others made are taken as they are: only their HMAC is kept.
 */
import { createHash } from 'node:crypto';
import { AppError } from './errors.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PREFIX = 'psk_';
const OPERATOR_PREFIX = 'pop_';
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

function format(prefix: string, bits: Buffer): string {
  const body = base62(BigInt(`0x${bits.toString('hex')}`), BODY_LENGTH);
  return prefix + body + checksum(body);
}

/** Writes 160 bits as a secret. */
export function formatSecret(bits: Buffer): string {
  return format(PREFIX, bits);
}

/** Writes 160 bits as the token of an operator: like a secret, with a beginning of its own. */
export function formatOperatorToken(bits: Buffer): string {
  return format(OPERATOR_PREFIX, bits);
}

/** True for a secret of our form whose checksum holds; tells a typo from an unknown secret. */
export function isWellFormedSecret(secret: string): boolean {
  const body = secret.slice(PREFIX.length, -CHECKSUM_LENGTH);
  return (
    secret.startsWith(PREFIX) &&
    body.length === BODY_LENGTH &&
    secret.slice(-CHECKSUM_LENGTH) === checksum(body)
  );
}

/** The one refusal of a secret, whatever is wrong with it, and of the sessions that it opened. */
export function refuseSecret(logReason: string): AppError {
  return new AppError(
    'SECRET_INVALID',
    'the secret is unknown, revoked, expired or empty; check the API key',
    { logReason },
  );
}
