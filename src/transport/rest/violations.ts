/**
 * Says what is wrong with a request, naming every field that is, without quoting it: its values may
 * be secrets, and errors are logged.
 */
import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from '@bufbuild/protobuf';
import { isFieldError } from '@bufbuild/protobuf/reflect';
import { AppError, type FieldViolation } from '../../domain/errors.ts';
import { fieldNamed, isObject, READ_OPTIONS } from './fields.ts';

/** Violations named at most; a long list of them helps nobody. */
const VIOLATIONS_MAX = 20;

/** What a field takes, or one item of its list, in words. */
function kindOf(field: DescField, isItem: boolean): string {
  const one = field.enum?.typeName ?? field.message?.typeName;
  const scalar = field.scalar === undefined ? undefined : ScalarType[field.scalar]?.toLowerCase();
  const kind = one ?? scalar ?? 'map';
  return field.fieldKind === 'list' && !isItem ? `a list of ${kind}` : kind;
}

function isReadable(message: DescMessage, json: JsonObject): boolean {
  try {
    fromJson(message, json, READ_OPTIONS);
    return true;
  } catch {
    return false;
  }
}

/** The type of a field whose own fields may be looked at; well-known types are read as a whole. */
function innerOf(field: DescField): DescMessage | undefined {
  return field.message?.typeName.startsWith('google.protobuf.') ? undefined : field.message;
}

/** The innermost fields that cannot be read, each tried by itself. */
function* locate(message: DescMessage, json: JsonObject, prefix: string): Iterable<FieldViolation> {
  for (const [name, value] of Object.entries(json)) {
    const field = fieldNamed(message, name);
    if (field === undefined || isReadable(message, { [name]: value })) continue;
    const path = prefix + field.name;
    if (field.fieldKind === 'list' && Array.isArray(value)) {
      for (const [i, item] of value.entries()) {
        if (!isReadable(message, { [name]: [item] }))
          yield* inside(field, item, `${path}[${i}]`, true);
      }
    } else {
      yield* inside(field, value, path);
    }
  }
}

function* inside(
  field: DescField,
  value: JsonValue,
  path: string,
  isItem = false,
): Iterable<FieldViolation> {
  const inner = innerOf(field);
  const found = inner !== undefined && isObject(value) ? [...locate(inner, value, `${path}.`)] : [];
  if (found.length > 0) yield* found;
  else yield { field: path, description: `takes ${kindOf(field, isItem)}` };
}

function withViolations(violations: readonly FieldViolation[]): AppError {
  const named = violations.slice(0, VIOLATIONS_MAX);
  const message = named.map(({ field, description }) => `${field} ${description}`).join('; ');
  return new AppError('INVALID_REQUEST', message, { violations: named });
}

/** A fault that lies between fields: one that is set twice, or two of a oneof. */
function betweenFields(error: unknown): FieldViolation | undefined {
  const { cause } = error as Error;
  if (!isFieldError(cause)) return undefined;
  const at = cause.field();
  const description =
    at.kind === 'oneof'
      ? `takes only one of ${at.fields.map((field) => field.name).join(', ')}`
      : 'is set more than once';
  return { field: at.name, description };
}

/**
 * The refusal of a request that could not be read.
 * @param json the request as far as it was read: a JSON object, or still its text
 */
export function asInvalid(error: unknown, input: DescMessage, json: JsonObject | string): AppError {
  if (error instanceof AppError) return error;
  const { cause, message } = error as Error;
  if (cause instanceof SyntaxError) {
    const position = /at position \d+/.exec(cause.message)?.[0];
    const where = position === undefined ? 'it ends too early or breaks off' : `broken ${position}`;
    return new AppError('INVALID_REQUEST', `the body is not JSON: ${where}`);
  }
  const duplicate = /duplicate object key ("[\w.-]{1,64}")/.exec(message)?.[1];
  if (message.includes('duplicate object key')) {
    return new AppError(
      'INVALID_REQUEST',
      `the body has the key ${duplicate ?? ''} more than once`,
    );
  }
  const value: JsonValue = typeof json === 'string' ? JSON.parse(json) : json;
  if (!isObject(value)) return new AppError('INVALID_REQUEST', 'the body is not a JSON object');
  const violations = [...locate(input, value, '')];
  const between = violations.length > 0 ? undefined : betweenFields(error);
  if (between !== undefined) violations.push(between);
  if (violations.length > 0) return withViolations(violations);
  return new AppError('INVALID_REQUEST', `the body is not the JSON form of a ${input.typeName}`);
}
