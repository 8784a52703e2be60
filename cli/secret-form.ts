/**
 * The form of secrets and operators' tokens: a prefix, 27 digits in base62, and a checksum of 6. The
 * server never tells a typo from an unknown secret; here, before anything is sent, it can be told.
 */
import { createHash } from 'node:crypto';
import { unusable } from './failure.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const FORM = /^([0-9A-Za-z]{27})([0-9A-Za-z]{6})$/;

export const SECRET_PREFIX = 'psk_';
export const OPERATOR_PREFIX = 'pop_';

function checksum(body: string): string {
  let rest = createHash('sha256').update(body).digest().readUInt32BE(0);
  let text = '';
  while (text.length < 6) {
    text = ALPHABET[rest % 62] + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}

/**
 * Refuses what begins as the server's own secrets do and is none of them. What others made may have
 * any form.
 * @param what for people, such as `the secret`
 * @throws CommandFailure USAGE
 */
export function refuseTypo(text: string, prefix: string, what: string): void {
  if (!text.startsWith(prefix)) return;
  const [, body = '', sum] = FORM.exec(text.slice(prefix.length)) ?? [];
  if (sum === checksum(body)) return;
  throw unusable(
    `${what} has a typo: its checksum does not hold; copy it whole, from ${prefix} on`,
  );
}
