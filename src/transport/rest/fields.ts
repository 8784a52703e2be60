/** How the JSON of a request and the fields of its message go together. */
import type { DescField, DescMessage, JsonObject, JsonValue } from '@bufbuild/protobuf';

/** Names that the contract does not know are ignored. */
export const READ_OPTIONS = { ignoreUnknownFields: true } as const;

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The field of that name, in snake_case or camelCase. */
export function fieldNamed(message: DescMessage, name: string): DescField | undefined {
  return message.fields.find((field) => field.name === name || field.jsonName === name);
}
