/** What servers are asked in the benchmarks. */
import { type Fixture, SERVICE_TOKEN } from './fixture.ts';
import type { Shape, Source, Target } from './load/protocol.ts';

/** Of REST: a call at a time on each of 64 connections. */
export const REST: Shape = { connections: 64, streams: 1 };
/** Few calls at a time, for a server that still has everything to look up. */
export const GENTLE: Shape = { connections: 4, streams: 1 };
/** Of gRPC. */
export const FEW: Shape = { connections: 4, streams: 16 };
export const MANY: Shape = { connections: 64, streams: 1 };

const SERVICE = '/grpc.tradeapi.v1.auth.AuthService';

/** One token for each of so many keys, in turn. */
export function tokensOf({ signingKey }: Fixture, keys: number, isFresh = false): Source {
  return { of: 'tokens', keys, isFresh, signingKey };
}

export function restDetails(port: number, source: Source): Target {
  const proof = '"account_ids":["';
  return { protocol: 'rest', port, path: '/v1/sessions/details', source, proof };
}

export function grpcDetails(port: number, source: Source): Target {
  return { protocol: 'grpc', port, path: `${SERVICE}/TokenDetails`, source };
}

export function restAuth(port: number, keys: number): Target {
  const source = { of: 'secrets', keys } as const;
  return { protocol: 'rest', port, path: '/v1/sessions', source, proof: '"token":"' };
}

/** May the holder of the token trade on the account? Answers tell for how long they hold. */
const CHECK = {
  also: { json: { action: 'ACTION_TRADE' }, protobufHex: '1802' },
  isAboutAccount: true,
  isAnyLength: true,
};
const BEARER = ['authorization', `Bearer ${SERVICE_TOKEN}`] as const;

/** @param port of the internal listener */
export function restCheck(port: number, source: Source): Target {
  const headers = [['content-type', 'application/json'] as const, BEARER];
  const allowed = { ...CHECK, proof: '"allowed":true' };
  return { protocol: 'rest', port, path: '/access/v1/check', headers, source, ...allowed };
}

/** @param port of the internal listener */
export function grpcCheck(port: number, source: Source): Target {
  const path = '/propusk.access.v1.AccessService/Check';
  // Field 1, `allowed`, is true.
  const allowed = { ...CHECK, proof: '0801' };
  return { protocol: 'grpc', port, path, headers: [BEARER], source, ...allowed };
}

/** Introspection by oidc-provider, with the tokens that it gave out. */
export function introspection(port: number, bodies: readonly string[]): Target {
  const headers = [['content-type', 'application/x-www-form-urlencoded']] as const;
  const source = { of: 'bodies', bodies } as const;
  const proof = '"active":true';
  return { protocol: 'rest', port, path: '/token/introspection', headers, source, proof };
}
