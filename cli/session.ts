/** `propusk session`: signing in, and the tokens that were issued. */
import { type Command, Option } from 'commander';
import { AuthService } from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { SessionSchema, SessionService } from '../src/gen/propusk/admin/v1/session_service_pb.js';
import { addCommand, addNoun, apiOptions } from './command.ts';
import { unusable } from './failure.ts';
import { addGet, addList, clientOption, optional, type Resource, showInstant } from './resource.ts';
import { refuseTypo, SECRET_PREFIX } from './secret-form.ts';
import { readSecret, type Surroundings } from './surroundings.ts';

const { getSession, listSessions, revokeSession, revokeSessions } = SessionService.method;

function ownerOptions(): Option[] {
  return [
    clientOption('those of this client'),
    new Option('--key <id>', 'those of this key').conflicts('client'),
  ];
}

export function addSession(program: Command, around: Surroundings): void {
  const resource: Resource<typeof SessionSchema> = {
    noun: addNoun(program, 'session', 'sign in, and the tokens that were issued'),
    around,
    schema: SessionSchema,
    columns: [
      ['ID', ({ id }) => id],
      ['CLIENT', ({ clientId }) => clientId],
      ['KEY', ({ keyId }) => keyId],
      ['PROGRAM', ({ sourceAppId }) => sourceAppId],
      ['FROM', ({ remoteAddress }) => remoteAddress],
      ['ISSUED', ({ issuedAt }) => showInstant(issuedAt)],
      ['EXPIRES', ({ expiresAt }) => showInstant(expiresAt)],
      ['REVOKED', ({ revokedAt }) => showInstant(revokedAt)],
    ],
    example: '0192d0c5-9f4e-7c3a-8f61-1c2d3e4f5a6b',
  };
  addCreate(resource);
  const list = {
    summary: 'list the active sessions of a client or of a key',
    examples: ['propusk session list --client acme', 'propusk session list --key acme-bot'],
    options: ownerOptions(),
  };
  addList(resource, list, async (api, page, { flags }) => {
    const owner = ownerOf(flags.text('client'), flags.text('key'));
    const { sessions: rows, nextPageToken } = await api.call(listSessions, { ...page, ...owner });
    return { rows, nextPageToken };
  });
  addGet(resource, (api, id) => api.call(getSession, { id }));
  addRevoke(resource);
}

function ownerOf(clientId: string | undefined, keyId: string | undefined) {
  if (clientId === undefined && keyId === undefined) {
    throw unusable('whose sessions? give --client or --key');
  }
  return { ...optional('clientId', clientId), ...optional('keyId', keyId) };
}

function addCreate({ noun, around }: Resource<typeof SessionSchema>): void {
  addCommand(noun, around, {
    usage: 'create',
    summary: 'sign in with a secret, read from standard input or a file; prints the token',
    examples: [
      'propusk session create --secret-file bot.secret',
      'propusk session create --secret-file bot.secret | propusk token details',
    ],
    options: [
      new Option('--secret-file <file>', "the key's secret (default standard input)"),
      new Option('--program <name>', 'which program signs in'),
      ...apiOptions(),
    ],
    run: async ({ connection, flags, output }) => {
      const secret = await readSecret(around, flags.text('secretFile'), 'the secret');
      refuseTypo(secret, SECRET_PREFIX, 'the secret');
      const input = { secret, ...optional('sourceAppId', flags.text('program')) };
      const { token } = await connection.publicApi().call(AuthService.method.auth, input);
      if (output.format === 'table') output.say(token);
      else output.value({ token });
    },
  });
}

function addRevoke({ noun, around, schema, columns, example }: Resource<typeof SessionSchema>) {
  addCommand(noun, around, {
    usage: 'revoke [id]',
    summary: 'end a session, or all of a client or a key; their tokens work no more at once',
    examples: [`propusk session revoke ${example}`, 'propusk session revoke --key acme-bot'],
    options: ownerOptions(),
    asksAdmin: true,
    run: async ({ admin, flags, output }, id) => {
      const [clientId, keyId] = [flags.text('client'), flags.text('key')];
      if (id !== undefined) {
        if (clientId !== undefined || keyId !== undefined) {
          throw unusable('either a session, or all of --client or --key');
        }
        output.one(schema, await (await admin()).call(revokeSession, { id }), columns);
        return;
      }
      const { revoked } = await (await admin()).call(revokeSessions, ownerOf(clientId, keyId));
      if (output.format === 'table') output.say(`sessions revoked: ${revoked}`);
      else output.value({ revoked });
    },
  });
}
