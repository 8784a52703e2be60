/** Percent-encoding. */
import fc from 'fast-check';

/** Encodes more than it must, or in lower case. */
export function encoded(text: string, mustKeep: RegExp): fc.Arbitrary<string> {
  const plain = encodeURIComponent(text.toWellFormed());
  const every = [...Buffer.from(text)].map((b) => `%${b.toString(16).padStart(2, '0')}`).join('');
  const bare = plain.replace(/%[0-9A-F]{2}/g, (code) => {
    const character = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return mustKeep.test(character) ? character : code;
  });
  return fc.constantFrom(plain, plain, every, bare, plain.toLowerCase());
}
