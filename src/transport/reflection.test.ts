import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  create,
  createFileRegistry,
  fromBinary,
  getOption,
  type MessageInitShape,
} from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code } from '../domain/errors.ts';
import { http } from '../gen/google/api/annotations_pb.js';
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflection as V1,
} from '../gen/grpc/reflection/v1/reflection_pb.js';
import {
  ServerReflectionRequestSchema as AlphaRequestSchema,
  ServerReflection as V1Alpha,
} from '../gen/grpc/reflection/v1alpha/reflection_pb.js';
import { AuthService } from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { Health as HealthService } from '../gen/health/v1/health_pb.js';
import { reflection } from './reflection.ts';

type Question = NonNullable<
  MessageInitShape<typeof ServerReflectionRequestSchema>['messageRequest']
>;
type Info = (requests: AsyncIterable<unknown>) => AsyncIterable<ServerReflectionResponse>;

const PACKAGE = 'grpc.tradeapi.v1.auth';
const AUTH_FILE = 'grpc/tradeapi/v1/auth/auth_service.proto';
const AUTH_IMPORTS = [
  'google/api/annotations.proto',
  'google/api/http.proto',
  'google/protobuf/descriptor.proto',
  'google/protobuf/timestamp.proto',
  'propusk/contract/v1/contract.proto',
];

function infoOf(version: typeof V1 | typeof V1Alpha): Info {
  const all = reflection([AuthService, HealthService]);
  const registration = all.find(({ service }) => service.typeName === version.typeName);
  return registration?.impl.serverReflectionInfo as unknown as Info;
}

async function* each<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items;
}

/** Asks the questions on one stream. */
async function ask(...questions: Question[]): Promise<ServerReflectionResponse[]> {
  const requests = questions.map((messageRequest) =>
    create(ServerReflectionRequestSchema, { host: 'here', messageRequest }),
  );
  return Array.fromAsync(infoOf(V1)(each(requests)));
}

function filesOf(response: ServerReflectionResponse | undefined): FileDescriptorProto[] {
  const answer = response?.messageResponse;
  assert.equal(answer?.case, 'fileDescriptorResponse');
  return answer.value.fileDescriptorProto.map((one) => fromBinary(FileDescriptorProtoSchema, one));
}

async function fileNames(question: Question): Promise<string[]> {
  const [response] = await ask(question);
  return filesOf(response).map((file) => file.name);
}

async function assertRefused(question: Question, code: Code, message: RegExp): Promise<void> {
  const [response] = await ask(question);
  const answer = response?.messageResponse;
  assert.equal(answer?.case, 'errorResponse');
  assert.equal(answer.value.errorCode, code);
  assert.match(answer.value.errorMessage, message);
}

test('both versions are registered', () => {
  const names = reflection([AuthService]).map(({ service }) => service.typeName);
  assert.deepEqual(names, [
    'grpc.reflection.v1.ServerReflection',
    'grpc.reflection.v1alpha.ServerReflection',
  ]);
});

test('list_services names all services, the reflection services among them', async () => {
  const [response] = await ask({ case: 'listServices', value: '*' });
  const answer = response?.messageResponse;
  assert.equal(answer?.case, 'listServicesResponse');
  assert.deepEqual(
    answer.value.service.map(({ name }) => name),
    [
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'grpc.tradeapi.v1.auth.AuthService',
    ],
  );
});

test('an answer repeats its request and the host', async () => {
  const [response] = await ask({ case: 'listServices', value: '' });
  assert.equal(response?.validHost, 'here');
  const original: ServerReflectionRequest | undefined = response.originalRequest;
  assert.equal(original?.messageRequest.case, 'listServices');
});

test('file_by_filename gives the file first, then all that it imports', async () => {
  const names = await fileNames({ case: 'fileByFilename', value: AUTH_FILE });
  assert.equal(names[0], AUTH_FILE);
  assert.deepEqual(names.slice(1).sort(), AUTH_IMPORTS);
});

test('file_containing_symbol knows every kind of symbol', async () => {
  const symbols = [
    `${PACKAGE}.AuthService`,
    `${PACKAGE}.AuthService.TokenDetails`,
    `${PACKAGE}.TokenDetailsResponse`,
    `${PACKAGE}.TokenDetailsResponse.account_ids`,
    `${PACKAGE}.MDPermission.condition`,
    `${PACKAGE}.MDPermission.QuoteLevel`,
    `${PACKAGE}.MDPermission.QUOTE_LEVEL_LAST_PRICE`,
    `${PACKAGE}.MDPermission.QuoteLevel.QUOTE_LEVEL_LAST_PRICE`,
  ];
  for (const value of symbols) {
    const [name] = await fileNames({ case: 'fileContainingSymbol', value });
    assert.equal(name, AUTH_FILE, value);
  }
});

test('symbols of imported files, and of error details, are known', async () => {
  const places = [
    ['google.protobuf.Timestamp', 'google/protobuf/timestamp.proto'],
    ['google.protobuf.FieldDescriptorProto.Type', 'google/protobuf/descriptor.proto'],
    ['google.api.http', 'google/api/annotations.proto'],
    ['google.rpc.ErrorInfo', 'google/rpc/error_details.proto'],
  ] as const;
  for (const [value, file] of places) {
    const [name] = await fileNames({ case: 'fileContainingSymbol', value });
    assert.equal(name, file, value);
  }
});

test('file_containing_extension finds the file that extends', async () => {
  const value = { containingType: 'google.protobuf.MethodOptions', extensionNumber: 72295728 };
  const [name] = await fileNames({ case: 'fileContainingExtension', value });
  assert.equal(name, 'google/api/annotations.proto');
});

test('all_extension_numbers_of_type lists them in order', async () => {
  const type = 'google.protobuf.MethodOptions';
  const [response] = await ask({ case: 'allExtensionNumbersOfType', value: type });
  const answer = response?.messageResponse;
  assert.equal(answer?.case, 'allExtensionNumbersResponse');
  assert.equal(answer.value.baseTypeName, type);
  assert.deepEqual(answer.value.extensionNumber, [50610, 72295728]);
});

test('a known type that nothing extends has no numbers', async () => {
  const value = `${PACKAGE}.AuthRequest`;
  const [response] = await ask({ case: 'allExtensionNumbersOfType', value });
  const answer = response?.messageResponse;
  assert.equal(answer?.case, 'allExtensionNumbersResponse');
  assert.deepEqual(answer.value.extensionNumber, []);
});

test('what is not known is NOT_FOUND', async () => {
  const { NOT_FOUND } = Code;
  const unknown: [Question, RegExp][] = [
    [{ case: 'fileByFilename', value: 'no.proto' }, /no\.proto/],
    [{ case: 'fileContainingSymbol', value: 'no.Such' }, /no\.Such/],
    // A package is no symbol that a file could declare.
    [{ case: 'fileContainingSymbol', value: PACKAGE }, /grpc\.tradeapi/],
    [{ case: 'fileContainingSymbol', value: '' }, /symbol/],
    [{ case: 'allExtensionNumbersOfType', value: 'no.Such' }, /no\.Such/],
  ];
  for (const [question, message] of unknown) await assertRefused(question, NOT_FOUND, message);
  for (const containingType of ['google.protobuf.MethodOptions', 'no.Such']) {
    const value = { containingType, extensionNumber: 7 };
    await assertRefused({ case: 'fileContainingExtension', value }, NOT_FOUND, /extension 7 of/);
  }
});

test('a request that asks for nothing is INVALID_ARGUMENT', async () => {
  await assertRefused({ case: undefined }, Code.INVALID_ARGUMENT, /nothing/);
});

test('a refusal does not end the stream', async () => {
  const [first, second] = await ask(
    { case: 'fileByFilename', value: 'no.proto' },
    { case: 'fileByFilename', value: AUTH_FILE },
  );
  assert.equal(first?.messageResponse.case, 'errorResponse');
  assert.equal(filesOf(second)[0]?.name, AUTH_FILE);
});

test('a stream gets each import once, and what it asks for always', async () => {
  const responses = await ask(
    { case: 'fileContainingSymbol', value: 'propusk.contract.v1.MethodContract' },
    { case: 'fileByFilename', value: AUTH_FILE },
    { case: 'fileByFilename', value: AUTH_FILE },
    { case: 'fileByFilename', value: 'google/protobuf/descriptor.proto' },
  );
  const names = responses.map((response) => filesOf(response).map((file) => file.name));
  assert.deepEqual(names[0], [
    'propusk/contract/v1/contract.proto',
    'google/protobuf/descriptor.proto',
  ]);
  assert.deepEqual(names[1]?.toSorted(), [
    'google/api/annotations.proto',
    'google/api/http.proto',
    'google/protobuf/timestamp.proto',
    AUTH_FILE,
  ]);
  assert.deepEqual(names[2], [AUTH_FILE]);
  assert.deepEqual(names[3], ['google/protobuf/descriptor.proto']);
});

test('another stream gets everything again', async () => {
  const question = { case: 'fileByFilename', value: AUTH_FILE } as const;
  const info = infoOf(V1);
  const request = create(ServerReflectionRequestSchema, { messageRequest: question });
  for (let stream = 0; stream < 2; stream++) {
    const [response] = await Array.fromAsync(info(each([request])));
    assert.equal(filesOf(response).length, 1 + AUTH_IMPORTS.length);
  }
});

test('a client can build the contract from the answer', async () => {
  const [response] = await ask({ case: 'fileContainingSymbol', value: AuthService.typeName });
  const [asked, ...imports] = filesOf(response);
  assert.ok(asked);
  const registry = createFileRegistry(asked, (name) => imports.find((one) => one.name === name));
  const method = registry.getService(AuthService.typeName)?.method.tokenDetails;
  assert.ok(method);
  assert.deepEqual(
    method.output.fields.map((field) => field.name),
    AuthService.method.tokenDetails.output.fields.map((field) => field.name),
  );
  assert.equal(getOption(method, http).pattern.value, '/v1/sessions/details');
});

test('v1alpha answers as v1 does', async () => {
  const messageRequest = { case: 'fileByFilename', value: AUTH_FILE } as const;
  const request = create(AlphaRequestSchema, { host: 'here', messageRequest });
  const [response] = await Array.fromAsync(infoOf(V1Alpha)(each([request])));
  const typeName: string | undefined = response?.$typeName;
  assert.equal(typeName, 'grpc.reflection.v1alpha.ServerReflectionResponse');
  assert.equal(response?.validHost, 'here');
  assert.deepEqual(
    filesOf(response).map((file) => file.name),
    await fileNames(messageRequest),
  );
});
