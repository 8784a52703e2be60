import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { readComments } from './comments.ts';

type FileInit = NonNullable<MessageInitShape<typeof FileDescriptorSetSchema>['file']>[number];

function image(...file: FileInit[]): Uint8Array {
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
}

function commentOf(text: string): string | undefined {
  const location = [{ path: [4, 0], leadingComments: text }];
  const file = { messageType: [{ name: 'M' }], sourceCodeInfo: { location } };
  return readComments(image(file)).get('M');
}

test('every kind of element is found under its full name', () => {
  const places: [path: number[], name: string][] = [
    [[4, 0], 'a.b.M'],
    [[4, 0, 2, 1], 'a.b.M.second'],
    [[4, 0, 8, 0], 'a.b.M.choice'],
    [[4, 0, 3, 0], 'a.b.M.Inner'],
    [[4, 0, 3, 0, 2, 0], 'a.b.M.Inner.deep'],
    [[4, 0, 4, 0], 'a.b.M.Level'],
    [[4, 0, 4, 0, 2, 0], 'a.b.M.Level.LOW'],
    [[5, 0], 'a.b.Side'],
    [[5, 0, 2, 0], 'a.b.Side.BUY'],
    [[6, 0], 'a.b.S'],
    [[6, 0, 2, 0], 'a.b.S.Do'],
  ];
  const inner = { name: 'Inner', field: [{ name: 'deep' }] };
  const level = { name: 'Level', value: [{ name: 'LOW', number: 0 }] };
  const comments = readComments(
    image({
      name: 'a.proto',
      package: 'a.b',
      messageType: [
        {
          name: 'M',
          field: [{ name: 'first' }, { name: 'second' }],
          oneofDecl: [{ name: 'choice' }],
          nestedType: [inner],
          enumType: [level],
        },
      ],
      enumType: [{ name: 'Side', value: [{ name: 'BUY', number: 0 }] }],
      service: [{ name: 'S', method: [{ name: 'Do' }] }],
      sourceCodeInfo: {
        location: places.map(([path, name]) => ({ path, leadingComments: ` about ${name}\n` })),
      },
    }),
  );
  assert.deepEqual(
    Object.fromEntries(comments),
    Object.fromEntries(places.map(([, name]) => [name, `about ${name}`])),
  );
});

test('a trailing comment stands in for a leading one', () => {
  const location = [{ path: [4, 0], trailingComments: ' after\n' }];
  const file = { messageType: [{ name: 'M' }], sourceCodeInfo: { location } };
  assert.equal(readComments(image(file)).get('M'), 'after');
});

test('the lines of a paragraph are joined, paragraphs and lists are kept', () => {
  assert.equal(
    commentOf(' One\n two.\n\n Three:\n - four\n - five\n'),
    'One two.\n\nThree:\n- four\n- five',
  );
  assert.equal(commentOf(' One\r\n two.\r\n'), 'One two.');
});

test('what is said to the linter is left out', () => {
  assert.equal(commentOf(' buf:lint:ignore SOME_RULE\n One.\n'), 'One.');
  assert.equal(commentOf(' buf:lint:ignore SOME_RULE\n'), undefined);
});

test('an image without source info has no comments', () => {
  assert.equal(readComments(image({ messageType: [{ name: 'M' }] })).size, 0);
});

test('bytes that are no image are refused', () => {
  assert.throws(() => readComments(Uint8Array.of(0xff, 0xff, 0xff)));
});
