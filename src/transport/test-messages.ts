/** Messages for tests of codecs. */
import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  type MessageInitShape,
  ScalarType,
} from '@bufbuild/protobuf';
import { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';

/** Messages of a kind, with any values that they may hold. */
export function messages(desc: DescMessage): fc.Arbitrary<Message> {
  if (desc.typeName === TimestampSchema.typeName) return timestamps;
  if (desc.typeName === DurationSchema.typeName) return durations;
  const plain = desc.fields.filter(({ oneof }) => oneof === undefined);
  const each = Object.fromEntries(plain.map((field) => [field.localName, fields(field)]));
  const oneofs = desc.oneofs.map((oneof) => {
    const cases = oneof.fields.map((field) =>
      fc.record({ case: fc.constant(field.localName), value: fields(field) }),
    );
    return [oneof.localName, fc.oneof(fc.constant({ case: undefined }), ...cases)] as const;
  });
  return fc
    .record({ ...each, ...Object.fromEntries(oneofs) }, { requiredKeys: [] })
    .map((init) => create(desc, init as MessageInitShape<DescMessage>));
}

const timestamps = fc
  .record({
    seconds: fc.bigInt(-62_135_596_800n, 253_402_300_799n),
    nanos: fc.oneof(fc.constant(0), fc.nat(999_999_999)),
  })
  .map((init) => create(TimestampSchema, init));

const nanos = fc.oneof(fc.constant(0), fc.nat(999_999_999));
const durations = fc
  .record({ seconds: fc.bigInt(0n, 315_576_000_000n), nanos, isNegative: fc.boolean() })
  .map(({ seconds, nanos: part, isNegative }) =>
    create(
      DurationSchema,
      isNegative ? { seconds: -seconds, nanos: 0 - part } : { seconds, nanos: part },
    ),
  );

function fields(field: DescField): fc.Arbitrary<unknown> {
  const one = values(field);
  return field.fieldKind === 'list' ? fc.array(one, { maxLength: 3 }) : one;
}

function values({ message, enum: named, scalar }: DescField): fc.Arbitrary<unknown> {
  if (message !== undefined) return messages(message);
  // A number that has no name is one of the enum all the same.
  if (named !== undefined) return fc.integer({ min: 0, max: named.values.length + 1 });
  if (scalar === ScalarType.STRING) return fc.string({ unit: 'binary' });
  if (scalar === ScalarType.BOOL) return fc.boolean();
  return scalar === ScalarType.INT64
    ? fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
    : fc.nat(2 ** 31 - 1);
}
