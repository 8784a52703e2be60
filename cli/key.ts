/** `propusk key`: what a program signs in with, and what it may do then. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { type Command, Option } from 'commander';
import { type Key, KeySchema, KeyService } from '../src/gen/propusk/admin/v1/key_service_pb.js';
import { addCommand, addNoun, type Call, repeatable } from './command.ts';
import { unusable } from './failure.ts';
import { readDuration } from './instant.ts';
import { deliver, newFileOption } from './new-secret.ts';
import {
  addChange,
  addDelete,
  addGet,
  addList,
  clientOption,
  instantOf,
  maskOf,
  optional,
  type Resource,
  requestIdOf,
  requestIdOption,
  STAMPS,
  showInstant,
  versionOf,
  versionOption,
} from './resource.ts';
import { refuseTypo, SECRET_PREFIX } from './secret-form.ts';
import { readSecret, type Surroundings } from './surroundings.ts';
import type { Column } from './table.ts';

const { createKey, importKey, getKey, listKeys, updateKey, deleteKey, rotateKey, revokeKey } =
  KeyService.method;

function stateOf({ revokedAt, expiresAt }: Key, nowMs: number): string {
  if (revokedAt !== undefined) return `revoked ${showInstant(revokedAt)}`;
  if (expiresAt === undefined) return 'active';
  const isOver = Number(expiresAt.seconds) * 1000 <= nowMs;
  return `${isOver ? 'expired' : 'active until'} ${showInstant(expiresAt)}`;
}

function columnsOf(around: Surroundings): Column<Key>[] {
  const limits = ({ callsPerMinute }: Key) =>
    Object.entries(callsPerMinute).map(([method, calls]) => `${method}=${calls}`);
  return [
    ['ID', ({ id }) => id],
    ['CLIENT', ({ clientId }) => clientId],
    ['LABEL', ({ label }) => label],
    ['ACCOUNTS', (key) => (key.allAccounts ? 'all' : key.accountIds.join(' '))],
    ['MAY', ({ readonly }) => (readonly ? 'read' : 'trade')],
    ['STATE', (key) => stateOf(key, around.now())],
    ['LIMITS', (key) => limits(key).join(' ')],
    ['SOURCES', (key) => (key.sourceNetworks.length === 0 ? 'any' : key.sourceNetworks.join(' '))],
    ['OLD SECRET UNTIL', ({ previousSecretEndsAt }) => showInstant(previousSecretEndsAt)],
    ...STAMPS,
  ];
}

function contentOptions(): Option[] {
  return [
    new Option('--label <label>', 'for people'),
    repeatable('--account <id>', 'an account that it reaches'),
    new Option('--all-accounts', 'it reaches all accounts of its client, later ones too'),
    new Option('--readonly', 'it may not trade'),
    new Option('--no-readonly', 'it may trade'),
    repeatable('--calls <method=number>', 'a limit of its own: calls of a method in any 60 s'),
    repeatable('--source <network>', 'from where it may sign in, such as 10.0.0.0/8, or any'),
    new Option('--expires <instant>', 'until when it works, such as +90d, or never'),
  ];
}

function limitsOf(texts: readonly string[]): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const text of texts) {
    const [, method = '', calls] = /^(\w+)=(\d{1,9})$/.exec(text) ?? [];
    if (calls === undefined) throw unusable(`"${text}" is not METHOD=NUMBER, such as Auth=20`);
    limits[method] = Number(calls);
  }
  return limits;
}

/** What the flags say of a key. */
function contentOf(call: Call): MessageInitShape<typeof KeySchema> {
  const { flags } = call;
  if (flags.has('account') && flags.has('allAccounts')) {
    throw unusable('--account and --all-accounts exclude each other');
  }
  return {
    ...optional('label', flags.text('label')),
    allAccounts: flags.isOn('allAccounts'),
    accountIds: [...flags.texts('account')],
    readonly: flags.isOn('readonly'),
    callsPerMinute: limitsOf(flags.texts('calls')),
    sourceNetworks: flags.texts('source').filter((network) => network !== 'any'),
    ...optional('expiresAt', instantOf(call, 'expires')),
  };
}

function newKeyOf(call: Call, id: string): MessageInitShape<typeof KeySchema> {
  const content = contentOf(call);
  const isScoped = call.flags.has('account') || call.flags.has('allAccounts');
  if (!isScoped) throw unusable('which accounts? give --account (repeatable) or --all-accounts');
  return { id, clientId: call.flags.text('client') ?? '', ...content };
}

const secretFileOption = () => newFileOption('--secret-file <file>', 'secret');
const ownerOption = () => clientOption('the client that it belongs to').makeOptionMandatory();

export function addKey(program: Command, around: Surroundings): void {
  const resource: Resource<typeof KeySchema> = {
    noun: addNoun(program, 'key', 'an API key: what a program signs in with'),
    around,
    schema: KeySchema,
    columns: columnsOf(around),
    example: 'acme-bot',
  };
  addCreate(resource);
  addImport(resource);
  const list = {
    summary: 'list keys',
    examples: ['propusk key list --client acme'],
    options: [clientOption('those of this client only')],
  };
  addList(resource, list, async (api, page, { flags }) => {
    const filter = optional('clientId', flags.text('client'));
    const { keys: rows, nextPageToken } = await api.call(listKeys, { ...page, ...filter });
    return { rows, nextPageToken };
  });
  addGet(resource, (api, id) => api.call(getKey, { id }));
  addUpdate(resource);
  addRotate(resource);
  const revoke = {
    usage: 'revoke <id>',
    summary: 'end a key for good; no token of it works when this is done',
    examples: ['propusk key revoke acme-bot'],
    options: [],
  };
  addChange(resource, revoke, (api, id, { flags }) =>
    api.call(revokeKey, { id, version: versionOf(flags) }),
  );
  const summary = 'end a key for good and remove it';
  addDelete(resource, summary, (api, what) => api.call(deleteKey, what));
}

function addCreate(resource: Resource<typeof KeySchema>): void {
  addCommand(resource.noun, resource.around, {
    usage: 'create [id]',
    summary: 'make a key; its secret is shown once',
    examples: [
      'propusk key create acme-bot --client acme --label Bot --all-accounts --secret-file bot.secret',
      'propusk key create --client acme --account 1899011 --readonly --expires +90d',
    ],
    options: [ownerOption(), ...contentOptions(), secretFileOption(), requestIdOption()],
    asksAdmin: true,
    run: async (call, id = '') => {
      const input = { key: newKeyOf(call, id), requestId: requestIdOf(call.flags) };
      const place = { name: 'secret', path: call.flags.text('secretFile') } as const;
      await deliver(call, resource, place, async () => {
        const { key, secret } = await (await call.admin()).call(createKey, input);
        return { made: key, secret };
      });
    },
  });
}

function addImport({ noun, around, schema, columns }: Resource<typeof KeySchema>): void {
  addCommand(noun, around, {
    usage: 'import [id]',
    summary:
      'make a key for a secret that exists already; it is read from standard input or a file',
    examples: ['propusk key import acme-old --client acme --all-accounts --secret-file old.secret'],
    options: [
      ownerOption(),
      ...contentOptions(),
      new Option('--secret-file <file>', 'where the secret is (default standard input)'),
      requestIdOption(),
    ],
    asksAdmin: true,
    run: async (call, id = '') => {
      const { flags } = call;
      const key = newKeyOf(call, id);
      const secret = await readSecret(around, flags.text('secretFile'), 'the secret');
      refuseTypo(secret, SECRET_PREFIX, 'the secret');
      const input = { key, secret, requestId: requestIdOf(flags) };
      call.output.one(schema, await (await call.admin()).call(importKey, input), columns);
    },
  });
}

function addUpdate(resource: Resource<typeof KeySchema>): void {
  const update = {
    usage: 'update <id>',
    summary:
      'change a key; accounts, limits and sources that are given take the place of all it had',
    examples: [
      'propusk key update acme-bot --readonly --source 10.0.0.0/8',
      'propusk key update acme-bot --expires never --source any',
    ],
    options: contentOptions(),
  };
  addChange(resource, update, (api, id, call) => {
    const { flags } = call;
    const isScoped = flags.has('account') || flags.has('allAccounts');
    const updateMask = maskOf({
      label: flags.has('label'),
      all_accounts: isScoped,
      account_ids: isScoped,
      readonly: flags.has('readonly'),
      calls_per_minute: flags.has('calls'),
      source_networks: flags.has('source'),
      expires_at: flags.has('expires'),
    });
    return api.call(updateKey, {
      key: { id, ...contentOf(call), version: versionOf(flags) },
      updateMask,
    });
  });
}

function addRotate(resource: Resource<typeof KeySchema>): void {
  addCommand(resource.noun, resource.around, {
    usage: 'rotate <id>',
    summary: 'give a key a new secret, shown once; the old one may work on for a while',
    examples: ['propusk key rotate acme-bot --overlap 24h --secret-file bot.secret.new'],
    options: [
      new Option(
        '--overlap <duration>',
        'how long the old secret works on, such as 24h (default not)',
      ),
      secretFileOption(),
      versionOption(),
      requestIdOption(),
    ],
    asksAdmin: true,
    run: async (call, id = '') => {
      const { flags } = call;
      const overlap = flags.text('overlap');
      const input = {
        id,
        ...(overlap !== undefined && {
          overlap: durationFromMs(readDuration(overlap, '--overlap')),
        }),
        version: versionOf(flags),
        requestId: requestIdOf(flags),
      };
      const place = { name: 'secret', path: flags.text('secretFile') } as const;
      await deliver(call, resource, place, async () => {
        const { key, secret } = await (await call.admin()).call(rotateKey, input);
        return { made: key, secret };
      });
    },
  });
}
