/** Queries that set fields of a message, by all their names. */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { encoded } from './encoded.ts';
import { ODD_PAIRS } from './odd.ts';
import { mostly, texts, textsOf } from './values.ts';

type Texts = fc.Arbitrary<string>;

const BARE_IN_QUERY = /[!$'()*,:@/?[\]]/;

/** A name of a field that a query may set, of either form, and of fields within fields. */
function names(message: DescMessage, depth: number): fc.Arbitrary<[string, DescField]> {
  return fc.constantFrom(...message.fields).chain((field): fc.Arbitrary<[string, DescField]> => {
    const name = fc.constantFrom(field.name, field.jsonName);
    const isFree = field.message?.typeName.startsWith('google.protobuf.') ?? true;
    if (isFree || depth === 0) return name.map((text) => [text, field]);
    const inner = names(field.message as DescMessage, depth - 1);
    return mostly(
      fc.tuple(name, inner).map(([text, [rest, last]]) => [`${text}.${rest}`, last]),
      name.map((text) => [text, field]),
      6,
    );
  });
}

/** Pairs that name what the path holds, something in it, or what it is in. */
function heldPairs(held: readonly string[]): Texts[] {
  const names = held.flatMap((name) => {
    const camel = name.replace(/_([a-z\d])/g, (_all, letter: string) => letter.toUpperCase());
    return [name, camel, `${name}.more`, ...name.split('.').slice(0, 1), `${name}[a]`];
  });
  return names.length === 0 ? [] : [fc.constantFrom(...names.map((name) => `${name}=x`))];
}

/**
 * The query of a request, with its question mark.
 * @param held the fields that the path holds
 */
export function queries(message: DescMessage, held: readonly string[] = []): Texts {
  const pair = names(message, 2).chain(([name, field]) => {
    const value = textsOf(field).chain((text) => encoded(text, BARE_IN_QUERY));
    const key =
      field.fieldKind === 'map'
        ? texts.map((k) => `${name}[${encodeURIComponent(k.toWellFormed())}]`)
        : fc.constant(name);
    const times =
      field.fieldKind === 'list' ? { minLength: 1, maxLength: 3 } : { minLength: 1, maxLength: 1 };
    return fc
      .tuple(key, fc.array(value, times))
      .map(([text, values]) =>
        values.map((each) => `${text}=${each.replaceAll('%20', '+')}`).join('&'),
      );
  });
  const odd = fc.oneof(fc.constantFrom(...ODD_PAIRS), ...heldPairs(held));
  const pairs = fc.array(mostly(pair, odd, 4), { minLength: 1, maxLength: 3 });
  return pairs.map((all) => `?${all.join('&')}`);
}
