/** `propusk token`: what a session token says, by itself and by the server. */
import type { JsonObject } from '@bufbuild/protobuf';
import { type Command, Option } from 'commander';
import {
  AuthService,
  type TokenDetailsResponse,
  TokenDetailsResponseSchema,
} from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { addCommand, addNoun, apiOptions } from './command.ts';
import { unusable } from './failure.ts';
import { showPermission } from './permission.ts';
import { showInstant } from './resource.ts';
import { readSecret, type Surroundings } from './surroundings.ts';
import type { Column } from './table.ts';

const DETAILS: readonly Column<TokenDetailsResponse>[] = [
  ['CREATED', ({ createdAt }) => showInstant(createdAt)],
  ['EXPIRES', ({ expiresAt }) => showInstant(expiresAt)],
  ['ACCOUNTS', ({ accountIds }) => accountIds.join(' ')],
  ['MAY', ({ readonly }) => (readonly ? 'read' : 'trade')],
  ['PERMISSIONS', ({ mdPermissions }) => mdPermissions.map(showPermission).join(' ')],
];

/** The flag that says where a session token is. */
export function sessionFileOption(help = 'the session token (default standard input)'): Option {
  return new Option('--session-file <file>', help);
}

/** The two parts of a JWT that can be read by anyone. */
interface Decoded {
  readonly header: JsonObject;
  readonly payload: JsonObject;
}

function decodePart(part: string): JsonObject {
  const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('no object');
  return value as JsonObject;
}

/**
 * Takes a JWT apart; its signature is not checked, which the server's key alone could.
 * @throws CommandFailure USAGE where it is no JWT
 */
function decode(token: string): Decoded {
  const [header = '', payload = '', signature, ...rest] = token.split('.');
  try {
    if (signature === undefined || rest.length > 0) throw new Error('not three parts');
    return { header: decodePart(header), payload: decodePart(payload) };
  } catch (error) {
    throw unusable('this is not a session token: it is not a JWT of three parts', error);
  }
}

/** Seconds since 1970 as an instant; anything else as it is. */
function showSeconds(value: unknown): string {
  const isInstant = typeof value === 'number' && Math.abs(value) < 8.64e12;
  if (!isInstant) return value === undefined ? '' : JSON.stringify(value);
  return new Date(value * 1000).toISOString().replace('.000Z', 'Z');
}

function lifeLeft(exp: unknown, nowMs: number): string {
  if (typeof exp !== 'number') return 'has no end';
  const seconds = Math.round(exp - nowMs / 1000);
  return seconds > 0 ? `ends in ${seconds} s` : `ended ${-seconds} s ago`;
}

export function addToken(program: Command, around: Surroundings): void {
  const noun = addNoun(program, 'token', 'what a session token says');

  addCommand(noun, around, {
    usage: 'inspect',
    summary: 'decode a token on this machine, without asking anyone; is it genuine? see details',
    examples: [
      'propusk token inspect --session-file my.token',
      'echo "$TOKEN" | propusk token inspect',
    ],
    options: [sessionFileOption()],
    run: async ({ flags, output }) => {
      const token = await readSecret(around, flags.text('sessionFile'), 'the session token');
      const decoded = decode(token);
      const text = (name: string) => {
        const value = decoded.payload[name];
        return typeof value === 'string' ? value : JSON.stringify(value ?? '');
      };
      output.record({ header: decoded.header, payload: decoded.payload }, decoded, [
        ['SESSION', () => text('jti')],
        ['CLIENT', () => text('sub')],
        ['KEY', () => text('key')],
        ['ISSUER', () => text('iss')],
        ['ISSUED', ({ payload }) => showSeconds(payload.iat)],
        ['EXPIRES', ({ payload }) => showSeconds(payload.exp)],
        ['LIFE', ({ payload }) => lifeLeft(payload.exp, around.now())],
        [
          'SIGNED',
          ({ header }) => `${header.alg ?? '?'} by ${header.kid ?? '?'}, not checked here`,
        ],
      ]);
    },
  });

  addCommand(noun, around, {
    usage: 'details',
    summary: 'ask the server what a token may do now',
    examples: [
      'propusk token details --session-file my.token',
      'propusk session create --secret-file bot.secret | propusk token details --output json',
    ],
    options: [sessionFileOption(), ...apiOptions()],
    run: async ({ connection, flags, output }) => {
      const token = await readSecret(around, flags.text('sessionFile'), 'the session token');
      const answer = await connection.publicApi().call(AuthService.method.tokenDetails, { token });
      output.one(TokenDetailsResponseSchema, answer, DETAILS);
    },
  });
}
