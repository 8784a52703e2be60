/** Backends that ask as fast as they can, and what that leaves to the trader whose token it is about. */
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  AccessService,
  Action,
  CheckRequestSchema,
  CheckResponseSchema,
} from '../src/gen/propusk/access/v1/access_service_pb.js';
import { check, Holder } from './access-scene.ts';
import { AdministeredServer } from './administration.ts';
import { failureOf } from './clients/client.ts';
import { figuresOf } from './limits-scene.ts';

/** At a time, on each of the connections. */
const IN_FLIGHT = 100;
const CONNECTIONS = 4;

/** Asks again and again, on a connection of its own, by gRPC's bare frames; how many were allowed. */
async function flood(authority: string, operator: string, body: Buffer, times: number) {
  const session = http2.connect(authority);
  const headers = {
    ':method': 'POST',
    ':path': `/${AccessService.typeName}/Check`,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: operator,
  };
  const ask = () =>
    new Promise<boolean>((resolve, reject) => {
      const stream = session.request(headers);
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      stream.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve(bytes.length > 5 && fromBinary(CheckResponseSchema, bytes.subarray(5)).allowed);
      });
      stream.end(body);
    });
  let [begun, allowed] = [0, 0];
  const askOn = async () => {
    while (begun++ < times) if (await ask()) allowed++;
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, askOn));
  session.close();
  return allowed;
}

/** Asserts that so many checks leave the trader all that it may call itself. */
export async function assertNothingSpent(checks: number): Promise<void> {
  await using scene = await AdministeredServer.start('--calls-max=100000');
  const { outside, server, operators } = scene;
  const holder = await Holder.make(server.store);
  const token = await outside.grpc.auth(holder.secret);
  const asked = { token, accountId: holder.trading, action: Action.TRADE };
  const message = toBinary(CheckRequestSchema, create(CheckRequestSchema, asked));
  const body = Buffer.concat([Buffer.from([0, 0, 0, 0, 0]), message]);
  body.writeUInt32BE(message.length, 1);
  const authority = `http://127.0.0.1:${server.internalPort}`;
  const floods = Array.from({ length: CONNECTIONS }, () =>
    flood(authority, operators.service.token, body, checks / CONNECTIONS),
  );
  const allowed = (await Promise.all(floods)).reduce((sum, each) => sum + each, 0);
  assert.equal(allowed, checks);
  const { message: usage } = await outside.grpc.usage(token);
  const left = new Map(usage.quotas.map(({ name, remaining }) => [name, Number(remaining)]));
  assert.equal(left.get('TokenDetails'), 200);
  for (let i = 1; i <= 200; i++) {
    const { headers } = await outside.grpc.tokenDetails(token);
    assert.equal(figuresOf(headers).remaining, 200 - i);
  }
  assert.equal((await failureOf(outside.grpc.tokenDetails(token))).reason, 'RATE_LIMITED');
  assert.ok((await check(scene.inside.grpc, operators.service.token, asked)).allowed);
}
