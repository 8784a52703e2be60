/**
 * The comments of the proto files, by full name. Generated code does not carry them, so they come
 * from an image that was built with source info.
 */
import { fromBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
  type ServiceDescriptorProto,
} from '@bufbuild/protobuf/wkt';

/**
 * What the proto files say of each element. Keys are full names: `package.Message`,
 * `package.Message.field`, `package.Message.oneof`, `package.Enum.VALUE`, `package.Service.Method`.
 */
export type Comments = ReadonlyMap<string, string>;

// The field numbers that descriptor.proto's source paths are made of.
const FILE = { messageType: 4, enumType: 5, service: 6 } as const;
const MESSAGE = { field: 2, nestedType: 3, enumType: 4, oneofDecl: 8 } as const;
const ENUM = { value: 2 } as const;
const SERVICE = { method: 2 } as const;

/** Lines of one paragraph belong together; lists and indented text keep their lines. */
function unwrap(comment: string): string {
  return comment
    .split(/\r\n|\r|\n/)
    .map((line) => line.replace(/^ /, '').trimEnd())
    .filter((line) => !line.startsWith('buf:lint:'))
    .join('\n')
    .replace(/([^\n])\n(?=[^\s*-])/g, '$1 ')
    .trim();
}

type Path = readonly number[];
/** An element's full name, and where descriptor.proto says it is in its file. */
type Place = readonly [name: string, path: Path];

/** The elements of one list, each followed by what is inside it. */
function* listed<T extends { readonly name: string }>(
  elements: readonly T[],
  path: Path,
  scope: string,
  inside?: (element: T, path: Path, scope: string) => Iterable<Place>,
): Iterable<Place> {
  for (const [index, element] of elements.entries()) {
    const name = scope + element.name;
    const place = [...path, index];
    yield [name, place];
    if (inside !== undefined) yield* inside(element, place, `${name}.`);
  }
}

function* inEnum(desc: EnumDescriptorProto, path: Path, scope: string): Iterable<Place> {
  yield* listed(desc.value, [...path, ENUM.value], scope);
}

function* inMessage(message: DescriptorProto, path: Path, scope: string): Iterable<Place> {
  yield* listed(message.field, [...path, MESSAGE.field], scope);
  yield* listed(message.oneofDecl, [...path, MESSAGE.oneofDecl], scope);
  yield* listed(message.enumType, [...path, MESSAGE.enumType], scope, inEnum);
  yield* listed(message.nestedType, [...path, MESSAGE.nestedType], scope, inMessage);
}

function* inService(service: ServiceDescriptorProto, path: Path, scope: string): Iterable<Place> {
  yield* listed(service.method, [...path, SERVICE.method], scope);
}

function* inFile(file: FileDescriptorProto): Iterable<Place> {
  const scope = file.package === '' ? '' : `${file.package}.`;
  yield* listed(file.messageType, [FILE.messageType], scope, inMessage);
  yield* listed(file.enumType, [FILE.enumType], scope, inEnum);
  yield* listed(file.service, [FILE.service], scope, inService);
}

/**
 * Reads the comments of an image.
 * @param image a binary google.protobuf.FileDescriptorSet with source info
 * @throws if the bytes are no such set
 */
export function readComments(image: Uint8Array): Comments {
  const comments = new Map<string, string>();
  for (const file of fromBinary(FileDescriptorSetSchema, image).file) {
    const byPath = new Map<string, string>();
    for (const location of file.sourceCodeInfo?.location ?? []) {
      byPath.set(location.path.join(), location.leadingComments || location.trailingComments);
    }
    for (const [name, path] of inFile(file)) {
      const comment = unwrap(byPath.get(path.join()) ?? '');
      if (comment !== '') comments.set(name, comment);
    }
  }
  return comments;
}
