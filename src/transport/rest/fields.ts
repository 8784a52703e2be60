/** The fields of messages by the names that requests call them. */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { isWrapperDesc } from '@bufbuild/protobuf/wkt';

/** Messages within messages at most, the outermost included; gRPC's reader refuses more, too. */
export const DEPTH_MAX = 100;

const named = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** The field of that name, in snake_case or camelCase. */
export function fieldNamed(message: DescMessage, name: string): DescField | undefined {
  let fields = named.get(message);
  if (fields === undefined) {
    const byJsonName = message.fields.map((field) => [field.jsonName, field] as const);
    fields = new Map([
      ...byJsonName,
      ...message.fields.map((field) => [field.name, field] as const),
    ]);
    named.set(message, fields);
  }
  return fields.get(name);
}

/** The one field of a wrapper such as google.protobuf.StringValue; undefined for other messages. */
export function wrappedOf(message: DescMessage): DescField | undefined {
  return isWrapperDesc(message) ? message.fields[0] : undefined;
}

/** True for the types of google.protobuf: their JSON is a value of its own, without their fields. */
export function isWellKnown(message: DescMessage): boolean {
  return message.typeName.startsWith('google.protobuf.');
}

/** The message and those inside it, which may be in circles. */
export function allWithin(message: DescMessage): readonly DescMessage[] {
  const found = new Set([message]);
  // What is added on the way is visited as well.
  for (const one of found) {
    for (const field of one.fields) if (field.message !== undefined) found.add(field.message);
  }
  return [...found];
}
