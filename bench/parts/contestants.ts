/** Servers with what they are asked, by the names that reports know them by. */
import {
  FEW,
  grpcCheck,
  grpcDetails,
  introspection,
  MANY,
  REST,
  restAuth,
  restCheck,
  restDetails,
  tokensOf,
} from '../calls.ts';
import type { Fixture } from '../fixture.ts';
import type { Shape, Target } from '../load/protocol.ts';
import type { Contestant } from '../rounds.ts';
import type { Running } from '../servers.ts';
import type { Stage } from '../stage.ts';

/** Names that ratios are made of. */
export const BARE_HTTP = 'bare node:http';
export const BARE_HTTP2 = 'bare node:http2';
export const SEEN = 'Propusk, token seen before';
export const COLD = 'Propusk, token never seen';
export const AUTH = 'Propusk, Auth';
export const OIDC = 'oidc-provider introspection';
export const BETTER_AUTH_MAP = 'better-auth, Map';
export const BETTER_AUTH_SQLITE = 'better-auth, SQLite';
export const GRPC_JS = 'grpc-js';
export const CHECK = 'Propusk, Check';

/** Keys that are asked about in turn: enough for the limit, and fewer than tokens are remembered. */
const KEYS_IN_TURN = 20_000;

/** Of a database's keys, those that are asked about. */
export function keysOf(fixture: Fixture): number {
  return Math.min(KEYS_IN_TURN, fixture.keys);
}

export function contestant(
  name: string,
  server: Running,
  target: Target,
  shape: Shape = REST,
): Contestant {
  return { name, serverPid: server.pid, target, shape };
}

/** What the quick run compares over REST, and the full one with more. */
export async function restBasics(stage: Stage): Promise<Contestant[]> {
  const fixture = await stage.fixture();
  const keys = keysOf(fixture);
  const seen = tokensOf(fixture, keys);
  const propusk = await stage.propusk();
  const bare = await stage.peer('bare-http');
  const oidc = await stage.peer('oidc-provider');
  return [
    contestant(BARE_HTTP, bare, restDetails(bare.port, seen)),
    contestant(SEEN, propusk, restDetails(propusk.port, seen)),
    contestant(AUTH, propusk, restAuth(propusk.port, keys)),
    contestant(OIDC, oidc, introspection(oidc.port, oidc.bodies)),
  ];
}

/** Tokens never seen, at a server of their own: there they push out none of those that were seen before. */
export async function neverSeen(stage: Stage): Promise<Contestant> {
  const fixture = await stage.secondFixture();
  const propusk = await stage.propusk(fixture);
  const source = tokensOf(fixture, keysOf(fixture), true);
  return contestant(COLD, propusk, restDetails(propusk.port, source));
}

/** Frameworks and libraries that people would take for REST. */
export async function restPeers(stage: Stage): Promise<Contestant[]> {
  const fixture = await stage.fixture();
  const seen = tokensOf(fixture, keysOf(fixture));
  const fastify = await stage.peer('fastify');
  const connect = await stage.peer('connect-node');
  const inMap = await stage.peer('better-auth-map');
  const onSqlite = await stage.peer('better-auth-sqlite');
  const path = '/grpc.tradeapi.v1.auth.AuthService/TokenDetails';
  return [
    contestant('fastify', fastify, restDetails(fastify.port, seen)),
    contestant('connect-node', connect, { ...restDetails(connect.secondPort, seen), path }),
    contestant(BETTER_AUTH_MAP, inMap, keyCheck(inMap)),
    contestant(BETTER_AUTH_SQLITE, onSqlite, keyCheck(onSqlite)),
  ];
}

/** The check of a key by better-auth. */
function keyCheck({ port, bodies }: Running): Target {
  const target = restDetails(port, { of: 'bodies', bodies });
  return { ...target, isAnyLength: true, proof: '"valid":true' };
}

/** What is compared over gRPC, in one shape. */
export async function grpcBasics(stage: Stage, shape: Shape): Promise<Contestant[]> {
  const fixture = await stage.fixture();
  const seen = tokensOf(fixture, keysOf(fixture));
  const bare = await stage.peer('bare-http2');
  const propusk = await stage.propusk();
  return [
    contestant(BARE_HTTP2, bare, grpcDetails(bare.port, seen), shape),
    contestant(SEEN, propusk, grpcDetails(propusk.port, seen), shape),
  ];
}

/** Libraries that people would take for gRPC. */
export async function grpcPeers(stage: Stage, shape: Shape): Promise<Contestant[]> {
  const fixture = await stage.fixture();
  const seen = tokensOf(fixture, keysOf(fixture));
  const grpcJs = await stage.peer('grpc-js');
  const connect = await stage.peer('connect-node');
  return [
    contestant(GRPC_JS, grpcJs, grpcDetails(grpcJs.port, seen), shape),
    contestant('connect-node', connect, grpcDetails(connect.port, seen), shape),
  ];
}

/** The Check of tokens, on the internal listener, over either protocol; nothing where there is none. */
export async function checks(stage: Stage, protocol: 'rest' | 'grpc', shape: Shape) {
  const fixture = await stage.fixture();
  const propusk = await stage.propusk();
  if (!(await hasCheck(propusk))) return [];
  const seen = tokensOf(fixture, keysOf(fixture));
  const targetOf = protocol === 'rest' ? restCheck : grpcCheck;
  return [contestant(CHECK, propusk, targetOf(propusk.secondPort, seen), shape)];
}

async function hasCheck({ secondPort }: Running): Promise<boolean> {
  const url = `http://127.0.0.1:${secondPort}/access/v1/check`;
  const { status } = await fetch(url, { method: 'POST', body: '{}' });
  return status !== 404;
}

/** The shapes of gRPC loads, by their names. */
export const GRPC_SHAPES: readonly (readonly [name: string, shape: Shape])[] = [
  ['4 connections x 16 streams', FEW],
  ['64 connections x 1 stream', MANY],
];
