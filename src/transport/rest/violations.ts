/**
 * What is wrong with a request, naming every field that is, without quoting it: its values may be
 * secrets, and errors are logged.
 */
import { type DescField, type DescMessage, type DescOneof, ScalarType } from '@bufbuild/protobuf';
import { type FieldViolation, refuseFields } from '../../domain/errors.ts';
import { DEPTH_MAX } from './fields.ts';

/** Violations named at most; a long list of them helps nobody. */
const VIOLATIONS_MAX = 20;

/** What a field takes, or one item of its list, in words. */
function kindOf(field: DescField, isItem: boolean): string {
  const one = field.enum?.typeName ?? field.message?.typeName;
  const scalar = field.scalar === undefined ? undefined : ScalarType[field.scalar]?.toLowerCase();
  const kind = one ?? scalar ?? '';
  if (isItem) return kind;
  if (field.fieldKind === 'map') return `a map of ${kind}`;
  return field.fieldKind === 'list' ? `a list of ${kind}` : kind;
}

/** Gathers the violations of one request. */
export class Violations {
  readonly #all: FieldViolation[] = [];

  /** @param path where the field is, as in `legs[0].symbol` */
  wrongType(path: string, field: DescField, isItem = false): void {
    this.add(path, `takes ${kindOf(field, isItem)}`);
  }

  setTwice(path: string): void {
    this.add(path, 'is set more than once');
  }

  /** @param prefix where the message is, ending in a dot; empty for the outermost */
  unknownName(prefix: string, message: DescMessage): void {
    const names = message.fields.map((field) => field.name);
    this.add(`${prefix}*`, `takes only ${names.join(', ')}`);
  }

  /** @param path where the oneof is */
  severalOf(path: string, oneof: DescOneof): void {
    const names = oneof.fields.map((field) => field.name);
    this.add(path, `takes only one of ${names.join(', ')}`);
  }

  tooDeep(path: string): void {
    this.add(path, `nests deeper than ${DEPTH_MAX} messages`);
  }

  add(field: string, description: string): void {
    const last = this.#all.at(-1);
    // The keys of a map, say, that are wrong one and all.
    if (last?.field === field && last.description === description) return;
    if (this.#all.length < VIOLATIONS_MAX) this.#all.push({ field, description });
  }

  /** @throws AppError INVALID_REQUEST when there are any */
  refuseAny(): void {
    if (this.#all.length > 0) throw refuseFields(this.#all);
  }
}
