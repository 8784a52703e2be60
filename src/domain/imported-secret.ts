/** Which secrets that others made are good enough to sign in with. */
import { isMistypedSecret } from './secret.ts';

/** Characters (code points) that an imported secret has at least, and at most. */
export const IMPORTED_SECRET_CHARS_MIN = 32;
export const IMPORTED_SECRET_CHARS_MAX = 4096;
/** Letters and digits that it has beside WORDS at least. */
const OWN_CHARS_MIN = 16;
/** Different characters that it has at least; 32 random digits have fewer once in 50,000. */
const DISTINCT_CHARS_MIN = 7;

/**
 * What documents, samples and forms have where a secret belongs; compared without case and signs.
 * None is shorter than seven letters, so that no random secret holds one by chance.
 */
const PLACEHOLDERS = [
  ...['yourapi', 'yoursecret', 'yourtoken', 'yourkey', 'yourpassword', 'youraccess', 'yourjwt'],
  ...['insertyour', 'enteryour', 'pasteyour', 'putyour', 'goeshere', 'tokenhere', 'keyhere'],
  ...[
    'secrethere',
    'changeme',
    'changethis',
    'replaceme',
    'replacethis',
    'replacewith',
    'fillmein',
  ],
  ...[
    'placeholder',
    'example',
    'notasecret',
    'nottherealone',
    'loremipsum',
    'undefined',
    'redacted',
  ],
  // The payload of the JWT that documents of JWTs show.
  'eyjzdwiioiixmjm0nty3odkw',
];
/**
 * Words that a good secret may begin with (`secret-token:…`) and a bad one is made of; likewise the
 * head of a JWT, which is the same in all.
 */
const WORDS =
  /eyjhbgcioijiuzi1niisinr5cci6ikpxvcj9|passw[o0]rd|qwerty|secret|access|client|propusk|bearer|admin|token|trade|test|demo|auth|live|pass|user|prod|key|api|jwt|the|my/g;
/** A text cut short, a template that nothing was put into, or what hides a secret. */
const TEMPLATE = /\.{3}|…|<[^<>]*>|\$\{|\{\{|%[A-Za-z_]+%|\*{3}|•{3}/;
/** Never meant, and easily lost on the way. */
const INVISIBLE = /^\s|\s$|[\p{C}\p{Zl}\p{Zp}]/u;

/**
 * Why a secret that was made elsewhere is refused: the rest of a sentence that begins with the name
 * of the field. It never holds any of the secret.
 *
 * @returns undefined where the secret is good enough
 */
export function flawOfImportedSecret(secret: string): string | undefined {
  if (secret === '') return 'is empty';
  // A character is one or two units of length; a text that is far too long is not taken apart.
  const characters = [...secret.slice(0, 2 * IMPORTED_SECRET_CHARS_MAX + 1)];
  if (characters.length > IMPORTED_SECRET_CHARS_MAX) {
    return `has more than ${IMPORTED_SECRET_CHARS_MAX} characters`;
  }
  if (INVISIBLE.test(secret)) return 'holds invisible characters, or a blank or line end around it';
  if (isMistypedSecret(secret)) {
    return 'begins like a secret of Propusk, but its checksum does not hold: it is mistyped or cut off';
  }
  if (isPlaceholder(secret)) return 'is a placeholder of a document or sample, not a secret';
  if (characters.length < IMPORTED_SECRET_CHARS_MIN) {
    return `has fewer than ${IMPORTED_SECRET_CHARS_MIN} characters`;
  }
  const own = plain(secret).replace(WORDS, '');
  if (own.length < OWN_CHARS_MIN || isRegular(characters)) {
    return 'is made of words, or repeats itself, or counts up; a secret is random';
  }
  return undefined;
}

function isPlaceholder(secret: string): boolean {
  return TEMPLATE.test(secret) || PLACEHOLDERS.some((each) => plain(secret).includes(each));
}

/** Letters and digits alone, in lower case. */
function plain(secret: string): string {
  return secret.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/** True for what a person types to fill a field: repeated, counting, or of few characters. */
function isRegular(characters: readonly string[]): boolean {
  if (new Set(characters).size < DISTINCT_CHARS_MIN) return true;
  const text = characters.join('');
  for (let period = 1; period <= text.length / 2; period++) {
    if (text.startsWith(text.slice(period))) return true;
  }
  const codes = characters.map((each) => each.codePointAt(0) ?? 0);
  const steps = codes.slice(1).map((code, i) => code - (codes[i] ?? 0));
  const same = Map.groupBy(steps, (step) => step).values();
  return Math.max(...[...same].map((each) => each.length)) > steps.length / 2;
}
