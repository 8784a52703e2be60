/**
 * The bytes of answers. Lists of messages that are frozen, through and through, are the same in many
 * answers: their bytes are kept as long as they are.
 */
import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  toBinary,
} from '@bufbuild/protobuf';

/** A field that is a list of messages, and the bytes of those of its lists that are frozen. */
interface ListField {
  readonly name: string;
  readonly bytesOf: (list: readonly Message[]) => Uint8Array;
}

const fields = new WeakMap<DescMessage, readonly ListField[]>();

/** A message as protobuf writes it, in parts; frozen lists stand after its other fields. */
export function partsOf(desc: DescMessage, message: Message): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let rest = message as Message & Record<string, unknown>;
  for (const field of listFieldsOf(desc)) {
    const list = rest[field.name] as readonly Message[];
    if (!Object.isFrozen(list)) continue;
    parts.push(field.bytesOf(list));
    rest = { ...rest, [field.name]: [] };
  }
  return [toBinary(desc, rest), ...parts];
}

function listFieldsOf(desc: DescMessage): readonly ListField[] {
  let found = fields.get(desc);
  if (found === undefined) {
    found = desc.fields.filter(isListOfMessages).map(listFieldOf);
    fields.set(desc, found);
  }
  return found;
}

function isListOfMessages({ fieldKind, message }: DescField): boolean {
  return fieldKind === 'list' && message !== undefined;
}

function listFieldOf({ parent, localName: name }: DescField): ListField {
  const kept = new WeakMap<readonly Message[], Uint8Array>();
  const bytesOf = (list: readonly Message[]) => {
    let bytes = kept.get(list);
    if (bytes === undefined) {
      bytes = toBinary(parent, Object.assign(create(parent), { [name]: list }));
      kept.set(list, bytes);
    }
    return bytes;
  };
  return { name, bytesOf };
}
