/** The log: JSON lines by pino, never with a secret or a token in them. */
import type { Logger } from 'pino';

/** What may be a secret or a token, or a part of one: longer than the words of a contract are. */
const SUSPECT = /[\w-]{24,}/g;

/** Text that may quote a request, such as its path, without what may be a secret or a token. */
export function withoutSecrets(text: string): string {
  return text.replace(SUSPECT, '***');
}

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'isLevelEnabled'>;
