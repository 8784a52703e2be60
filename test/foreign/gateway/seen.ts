/** What can be told of a request and its two answers. */
import type { Answer, Asked } from './ask.ts';

export interface Seen {
  readonly asked: Asked;
  readonly ours: Answer;
  readonly gateway: Answer;
}

interface StatusJson {
  readonly code: number;
  readonly message: string;
  readonly details: readonly Record<string, unknown>[];
}

export function statusOf(answer: Answer): StatusJson {
  const { code = -1, message = '', details = [] } = (answer.json ?? {}) as Partial<StatusJson>;
  return { code, message, details };
}

/** What our refusal says of fields, all of it. */
export function violationsOf(answer: Answer): readonly string[] {
  const bad = statusOf(answer).details.find(
    ({ field_violations }) => field_violations !== undefined,
  );
  const all = (bad?.field_violations ?? []) as { description: string }[];
  return all.map(({ description }) => description);
}

/** A request in plain letters, as far as they can be read. */
export function lettersOf({ target, body = '' }: Asked): string {
  const letters = (text: string) =>
    text.replace(/%([0-7][0-9a-f])|\\u00([0-7][0-9a-f])/gi, (_all, a?: string, b?: string) =>
      String.fromCharCode(Number.parseInt(a ?? b ?? '', 16)),
    );
  return `${letters(target)} ${letters(Buffer.from(body).toString())}`;
}

export function pathOf({ target }: Asked): string {
  return target.split('?')[0] ?? '';
}

export function isUtf8(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return !/%[0-9a-f]{2}/i.test(text) || /%(?![0-9a-f]{2})/i.test(text);
  }
}
