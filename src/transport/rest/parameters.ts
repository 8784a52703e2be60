/** Puts what a path and a query say into the request. */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { DEPTH_MAX, fieldNamed, isWellKnown, wrappedOf } from './fields.ts';
import type { Parameter } from './query.ts';
import { enumFromText, scalarFromText } from './scalars.ts';
import type { Violations } from './violations.ts';
import { wellKnownFromText } from './well-known.ts';

/** A field within a message. */
interface Place {
  readonly target: ReflectMessage;
  readonly field: DescField;
  /** Where it is, as in `order.legs`. */
  readonly path: string;
  /** Of the message; the outermost has 1. */
  readonly depth: number;
}

/**
 * A value of a field, of an item of its list or of a map's value; undefined when it is wrong.
 * @param room how many messages within messages it may be
 */
function valueFromText(field: DescField, text: string, room: number): unknown {
  const { message } = field;
  if (field.enum !== undefined) return enumFromText(field.enum, text);
  if (message === undefined) return field.scalar && scalarFromText(field.scalar, text);
  if (room < 1) return undefined;
  const wrapped = wrappedOf(message);
  if (wrapped === undefined) {
    const value = wellKnownFromText(message, text, room);
    return value && reflect(message, value, false);
  }
  const scalar = wrapped.scalar && scalarFromText(wrapped.scalar, text);
  if (scalar === undefined) return undefined;
  const target = reflect(message, undefined, false);
  target.set(wrapped, scalar);
  return target;
}

/** The names of the fields that a path leads through, as far as there are such fields. */
function protoNames(message: DescMessage, names: readonly string[]): readonly string[] {
  const found: string[] = [];
  let at: DescMessage | undefined = message;
  for (const name of names) {
    const field: DescField | undefined = at && fieldNamed(at, name);
    if (field === undefined) return names;
    found.push(field.name);
    at = field.fieldKind === 'message' ? field.message : undefined;
  }
  return found;
}

function startsWith(whole: readonly string[], start: readonly string[]): boolean {
  return start.every((name, i) => whole[i] === name);
}

/** Sets the fields of one request from text. */
export class Parameters {
  readonly #root: ReflectMessage;
  readonly #violations: Violations;

  constructor(root: ReflectMessage, violations: Violations) {
    this.#root = root;
    this.#violations = violations;
  }

  /** Sets the fields that the path names, whatever the body has set them to. */
  fromPath(variables: ReadonlyMap<string, string>): void {
    for (const [fieldPath, value] of variables) {
      this.#put({ names: fieldPath.split('.'), key: undefined, values: [value] });
    }
  }

  /**
   * Sets the fields that the query names. Unknown ones are ignored, and so is what names a field that
   * the path or body holds, one inside it or one around it.
   */
  fromQuery(parameters: Iterable<Parameter>, held: readonly string[]): void {
    const bound = held.map((fieldPath) => fieldPath.split('.'));
    const seen = new Set<string>();
    for (const parameter of parameters) {
      const names = protoNames(this.#root.desc, parameter.names);
      if (bound.some((each) => startsWith(names, each) || startsWith(each, names))) continue;
      const whole = JSON.stringify([names, parameter.key]);
      if (seen.has(whole)) this.#violations.setTwice(names.join('.'));
      else this.#put({ ...parameter, names });
      seen.add(whole);
    }
  }

  #put(parameter: Parameter): void {
    const { names } = parameter;
    let target: ReflectMessage | undefined = this.#root;
    let path = '';
    for (const [i, name] of names.entries()) {
      const field: DescField | undefined = target && fieldNamed(target.desc, name);
      if (target === undefined || field === undefined) return;
      path += i === 0 ? field.name : `.${field.name}`;
      const place: Place = { target, field, path, depth: i + 1 };
      if (!this.#isFree(place)) return;
      if (i < names.length - 1) target = this.#inside(place);
      else this.#set(place, parameter);
    }
  }

  /** False when another member of the field's oneof is set. */
  #isFree({ target, field, path }: Place): boolean {
    const { oneof } = field;
    const before = oneof && target.oneofCase(oneof);
    if (oneof === undefined || before === undefined || before === field) return true;
    this.#violations.severalOf(path, oneof);
    return false;
  }

  /** The message of a field, made when it is not there. */
  #inside({ target, field, path, depth }: Place): ReflectMessage | undefined {
    if (field.fieldKind !== 'message' || isWellKnown(field.message)) {
      this.#violations.wrongType(path, field);
      return undefined;
    }
    if (depth >= DEPTH_MAX) {
      this.#violations.tooDeep(path);
      return undefined;
    }
    const inner = target.get(field);
    // A message that was made by asking for it is not its parent's until it is set.
    target.set(field, inner);
    return inner;
  }

  #set(place: Place, { key, values }: Parameter): void {
    const { target, field, path } = place;
    if (field.fieldKind === 'map') {
      this.#setEntry(place, field, key, values);
    } else if (key !== undefined) {
      this.#violations.wrongType(path, field);
    } else if (field.fieldKind === 'list') {
      const list = target.get(field);
      for (const [i, text] of values.entries()) {
        const item = this.#read({ ...place, path: `${path}[${i}]` }, text, true);
        if (item !== undefined) list.add(item);
      }
    } else if (values.length > 1) {
      this.#violations.setTwice(path);
    } else {
      const value = this.#read(place, values[0]);
      if (value !== undefined) target.set(field, value);
    }
  }

  #setEntry(
    place: Place,
    field: DescField & { readonly fieldKind: 'map' },
    name: string | undefined,
    values: readonly string[],
  ): void {
    const { target, path } = place;
    const key = name === undefined ? undefined : scalarFromText(field.mapKey, name);
    const map = target.get(field);
    if (key === undefined) {
      this.#violations.wrongType(path, field);
    } else if (values.length > 1 || map.has(key)) {
      this.#violations.add(path, 'has a key more than once');
    } else {
      const value = this.#read({ ...place, path: `${path}[]` }, values[0], true);
      if (value !== undefined) map.set(key, value);
    }
  }

  #read({ field, path, depth }: Place, text = '', isItem = false): unknown {
    const value = valueFromText(field, text, DEPTH_MAX - depth);
    if (value === undefined) this.#violations.wrongType(path, field, isItem);
    return value;
  }
}
