/** Where the administration is: on the internal port of serve and the one port of dev, nowhere else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DescMethodUnary, getOption } from '@bufbuild/protobuf';
import { ADMINISTRATION } from '../src/administration.ts';
import { http } from '../src/gen/google/api/annotations_pb.js';
import {
  ServerReflection,
  type ServerReflectionResponse,
} from '../src/gen/grpc/reflection/v1/reflection_pb.js';
import { AuthService } from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { AccessService } from '../src/gen/propusk/access/v1/access_service_pb.js';
import { ClientService } from '../src/gen/propusk/admin/v1/client_service_pb.js';
import { AdministeredServer, Administrator } from './administration.ts';
import { type Client, failureOf } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { startHere } from './start.ts';

/** What operators call, and what backends do. */
const SERVICES = [...ADMINISTRATION, AccessService];
const NAMES = SERVICES.map(({ typeName }) => typeName);
const METHODS = SERVICES.flatMap(({ methods }) =>
  methods.filter(({ methodKind }) => methodKind === 'unary'),
) as DescMethodUnary[];

/** Some of their paths. */
const PATHS = ['/admin/v1/keys/{id}:rotate', '/access/v1/check'];

/** The services that a port tells of by reflection. */
async function servicesListed(client: Client): Promise<string[]> {
  const method = ServerReflection.method.serverReflectionInfo;
  const question = { messageRequest: { case: 'listServices', value: '' } };
  const [answer] = await Array.fromAsync(client.stream(method, [question]));
  const { messageResponse } = answer as ServerReflectionResponse;
  assert.equal(messageResponse.case, 'listServicesResponse');
  return messageResponse.value.service.map(({ name }) => name);
}

async function pathsOf(port: number | undefined): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/openapi.json`);
  return Object.keys(((await answer.json()) as { paths: object }).paths);
}

test('the public port of serve has none of it', async () => {
  await using scene = await AdministeredServer.start();
  const { outside, operators, server } = scene;
  for (const method of METHODS) {
    for (const client of outside.all) {
      const owner = new Administrator(client, operators.owner.token);
      const { reason } = await failureOf(owner.call(method, {}));
      const expected = client.hasStreams ? 'METHOD_NOT_FOUND' : 'ROUTE_NOT_FOUND';
      assert.equal(reason, expected, `${method.name} over ${client.name}`);
    }
  }
  const { pattern } = getOption(ClientService.method.listClients, http);
  const list = await outside.rest1.send('GET', String(pattern.value), {
    headers: { authorization: operators.owner.token },
  });
  assert.equal(list.status, 404);
  assert.ok(!(await servicesListed(outside.grpc)).some((name) => name.startsWith('propusk.')));
  assert.ok(!(await pathsOf(server.port)).some((path) => /^\/(admin|access)/.test(path)));
  for (const name of NAMES) assert.equal((await failureOf(outside.grpc.check(name))).code, 5);
});

test('the internal port of serve has it, tells of it, and has nothing of the contract', async () => {
  await using scene = await AdministeredServer.start();
  const { inside, server } = scene;
  for (const client of inside.all) {
    await scene.as('viewer', client).call(ClientService.method.listClients, {});
    const { reason } = await failureOf(client.call(AuthService.method.auth, { secret: 'x' }));
    assert.equal(reason, client.hasStreams ? 'METHOD_NOT_FOUND' : 'ROUTE_NOT_FOUND');
  }
  const listed = await servicesListed(inside.grpc);
  for (const name of NAMES) assert.ok(listed.includes(name), name);
  assert.ok(!listed.some((name) => name.startsWith('grpc.tradeapi')));
  const paths = await pathsOf(server.internalPort);
  for (const path of PATHS) assert.ok(paths.includes(path), path);
  assert.ok(!paths.some((path) => path.startsWith('/v1/sessions')));
});

test('without reflection neither port tells of it', async () => {
  await using scene = await AdministeredServer.start('--reflection=false');
  for (const { grpc } of [scene.inside, scene.outside]) {
    const failure = await failureOf(servicesListed(grpc));
    assert.equal(failure.code, 12);
  }
});

test('the one port of dev has it beside the contract, for operators alone', async () => {
  await using server = await startHere();
  await using four = new Four(server);
  for (const client of four.all) {
    const nobody = new Administrator(client, server.secret);
    const failure = await failureOf(nobody.call(ClientService.method.listClients, {}));
    assert.equal(failure.reason, 'OPERATOR_TOKEN_INVALID');
    if (failure.httpStatus !== undefined) assert.equal(failure.httpStatus, 401);
  }
  const listed = await servicesListed(four.grpc);
  for (const name of NAMES) assert.ok(listed.includes(name), name);
  const paths = await pathsOf(server.port);
  for (const path of PATHS) assert.ok(paths.includes(path), path);
});

test('guesses are limited by the address that they come from', async () => {
  await using scene = await AdministeredServer.start('--operator-failures-max=5');
  const { listClients } = ClientService.method;
  const viewer = scene.as('viewer', scene.inside.grpc);
  await viewer.call(listClients, {});
  const guess = new Administrator(scene.inside.rest1, 'pop_guess');
  for (let i = 0; i < 5; i++) {
    assert.equal((await failureOf(guess.call(listClients, {}))).reason, 'OPERATOR_TOKEN_INVALID');
  }
  const limited = await failureOf(guess.call(listClients, {}));
  assert.equal(limited.reason, 'RATE_LIMITED');
  assert.equal(limited.httpStatus, 429);
  assert.ok(Number(limited.headers['retry-after']) > 0);
  assert.equal((await failureOf(scene.as('owner').call(listClients, {}))).reason, 'RATE_LIMITED');
  await viewer.call(listClients, {});
});
