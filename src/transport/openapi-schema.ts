/** JSON schemas of proto messages and enums, as Propusk writes and reads them in JSON. */
import { type DescEnum, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import type { Comments } from './comments.ts';

/** A Schema Object of OpenAPI 3.1, which is JSON Schema 2020-12. */
export type Schema = Readonly<Record<string, unknown>>;

const INT32: Schema = { type: 'integer', format: 'int32' };
const UINT32: Schema = { type: 'integer', format: 'int64', minimum: 0, maximum: 0xffffffff };
const INT64: Schema = { type: 'string', format: 'int64' };
const UINT64: Schema = { type: 'string', format: 'uint64' };

const SCALARS: Readonly<Record<ScalarType, Schema>> = {
  [ScalarType.DOUBLE]: { type: 'number', format: 'double' },
  [ScalarType.FLOAT]: { type: 'number', format: 'float' },
  [ScalarType.INT64]: INT64,
  [ScalarType.UINT64]: UINT64,
  [ScalarType.INT32]: INT32,
  [ScalarType.FIXED64]: UINT64,
  [ScalarType.FIXED32]: UINT32,
  [ScalarType.BOOL]: { type: 'boolean' },
  [ScalarType.STRING]: { type: 'string' },
  [ScalarType.BYTES]: { type: 'string', contentEncoding: 'base64' },
  [ScalarType.UINT32]: UINT32,
  [ScalarType.SFIXED32]: INT32,
  [ScalarType.SFIXED64]: INT64,
  [ScalarType.SINT32]: INT32,
  [ScalarType.SINT64]: INT64,
};

function orNull(scalar: ScalarType): Schema {
  const schema = SCALARS[scalar];
  return { ...schema, type: [schema.type, 'null'] };
}

/** The types whose JSON is not that of a message. */
const WELL_KNOWN: ReadonlyMap<string, Schema> = new Map<string, Schema>([
  ['google.protobuf.Timestamp', { type: 'string', format: 'date-time' }],
  ['google.protobuf.Duration', { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$' }],
  ['google.protobuf.FieldMask', { type: 'string' }],
  ['google.protobuf.Struct', { type: 'object' }],
  ['google.protobuf.Value', {}],
  ['google.protobuf.ListValue', { type: 'array', items: {} }],
  ['google.protobuf.NullValue', { type: 'null' }],
  [
    'google.protobuf.Any',
    { type: 'object', properties: { '@type': { type: 'string' } }, required: ['@type'] },
  ],
  ['google.protobuf.DoubleValue', orNull(ScalarType.DOUBLE)],
  ['google.protobuf.FloatValue', orNull(ScalarType.FLOAT)],
  ['google.protobuf.Int64Value', orNull(ScalarType.INT64)],
  ['google.protobuf.UInt64Value', orNull(ScalarType.UINT64)],
  ['google.protobuf.Int32Value', orNull(ScalarType.INT32)],
  ['google.protobuf.UInt32Value', orNull(ScalarType.UINT32)],
  ['google.protobuf.BoolValue', orNull(ScalarType.BOOL)],
  ['google.protobuf.StringValue', orNull(ScalarType.STRING)],
  ['google.protobuf.BytesValue', orNull(ScalarType.BYTES)],
]);

/**
 * The one message with required fields: we alone write it, and always whole. Elsewhere proto knows
 * no required fields: a request may leave any out, and a response may leave out messages.
 */
const STATUS = 'google.rpc.Status';

type DescType = DescMessage | DescEnum;

/** The message or enum that a field holds, one or many of it; undefined for scalars. */
function typeOf(field: DescField): DescType | undefined {
  return field.message ?? field.enum;
}

/** True for a message that JSON writes as an object of its fields. */
export function isPlainMessage(type: DescType): type is DescMessage {
  return type.kind === 'message' && !WELL_KNOWN.has(type.typeName);
}

function collect(type: DescType, into: Set<DescType>): void {
  if (into.has(type) || WELL_KNOWN.has(type.typeName)) return;
  into.add(type);
  if (type.kind === 'enum') return;
  for (const field of type.fields) {
    const inner = typeOf(field);
    if (inner !== undefined) collect(inner, into);
  }
}

/** The name without its package; whole where two packages have the same one. */
function nameTypes(types: ReadonlySet<DescType>): Map<DescType, string> {
  const short = (type: DescType) => type.typeName.slice(type.file.proto.package.length + 1);
  const counts = new Map<string, number>();
  for (const type of types) counts.set(short(type), (counts.get(short(type)) ?? 0) + 1);
  const isAlone = (type: DescType) =>
    type.file.proto.package !== '' && counts.get(short(type)) === 1;
  return new Map([...types].map((type) => [type, isAlone(type) ? short(type) : type.typeName]));
}

function paragraphs(...texts: readonly (string | undefined)[]): Schema {
  const description = texts.filter((text) => text !== undefined && text !== '').join('\n\n');
  return description === '' ? {} : { description };
}

function namesOf(fields: readonly DescField[]): string {
  return fields.map((field) => `\`${field.name}\``).join(', ');
}

/** The schemas of all the types that a set of messages leads to. */
export class Schemas {
  readonly #names: Map<DescType, string>;
  readonly #comments: Comments;

  /** @param roots every message that the document will speak of */
  constructor(roots: Iterable<DescMessage>, comments: Comments) {
    const types = new Set<DescType>();
    for (const root of roots) collect(root, types);
    this.#names = nameTypes(types);
    this.#comments = comments;
  }

  /** What belongs under `components.schemas`, by name. */
  components(): Record<string, Schema> {
    const byName = [...this.#names].map(([type, name]): [string, Schema] => [
      name,
      type.kind === 'enum' ? this.#enum(type) : this.object(type),
    ]);
    return Object.fromEntries(byName.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Names a type, or describes it where JSON has a form of its own for it. */
  ref(type: DescType): Schema {
    const known = WELL_KNOWN.get(type.typeName);
    if (known !== undefined) return known;
    return { $ref: `#/components/schemas/${this.#names.get(type)}` };
  }

  /** Describes a message whole, without the fields that travel elsewhere. */
  object(message: DescMessage, without: ReadonlySet<string> = new Set()): Schema {
    const fields = message.fields.filter((field) => !without.has(field.name));
    const choices = message.oneofs.map((oneof) => {
      const comment = this.#comments.get(`${message.typeName}.${oneof.name}`);
      const rule = `At most one of ${namesOf(oneof.fields)} is set (\`${oneof.name}\`).`;
      return comment === undefined ? rule : `${rule} ${comment}`;
    });
    return {
      type: 'object',
      ...paragraphs(this.#comments.get(message.typeName), ...choices),
      properties: Object.fromEntries(fields.map((field) => [field.name, this.property(field)])),
      ...(message.typeName === STATUS && { required: fields.map((field) => field.name) }),
    };
  }

  /** Describes one field, with its comment. */
  property(field: DescField): Schema {
    const others = field.oneof?.fields.filter((member) => member !== field) ?? [];
    return {
      ...this.#value(field),
      ...paragraphs(
        this.#comments.get(`${field.parent.typeName}.${field.name}`),
        others.length > 0 ? `Excludes ${namesOf(others)}.` : undefined,
      ),
      ...(field.deprecated && { deprecated: true }),
    };
  }

  #value(field: DescField): Schema {
    const type = typeOf(field);
    const one = type === undefined ? SCALARS[field.scalar as ScalarType] : this.ref(type);
    if (field.fieldKind === 'list') return { type: 'array', items: one };
    if (field.fieldKind === 'map') return { type: 'object', additionalProperties: one };
    return one;
  }

  #enum(type: DescEnum): Schema {
    const lines = type.values.flatMap((value) => {
      const comment = this.#comments.get(`${type.typeName}.${value.name}`);
      return comment === undefined ? [] : [`- \`${value.name}\`: ${comment}`];
    });
    return {
      type: 'string',
      ...paragraphs(this.#comments.get(type.typeName), lines.join('\n')),
      enum: type.values.map((value) => value.name),
    };
  }
}
