/** `propusk operator`: who may use the admin API, and for what. */
import { type Command, Option } from 'commander';
import {
  OperatorSchema,
  OperatorService,
} from '../src/gen/propusk/admin/v1/operator_service_pb.js';
import { Role } from '../src/gen/propusk/contract/v1/contract_pb.js';
import { addCommand, addNoun, type Call } from './command.ts';
import { unusable } from './failure.ts';
import { deliver, newFileOption } from './new-secret.ts';
import {
  addChange,
  addDelete,
  addGet,
  addList,
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
import type { Surroundings } from './surroundings.ts';

const {
  createOperator,
  getOperator,
  listOperators,
  updateOperator,
  deleteOperator,
  rotateOperatorToken,
  revokeOperator,
} = OperatorService.method;

const ROLES: Readonly<Record<string, Role>> = {
  service: Role.SERVICE,
  viewer: Role.VIEWER,
  operator: Role.OPERATOR,
  owner: Role.OWNER,
};
const ROLE_NAMES = Object.keys(ROLES).join(', ');

/** A role by the name that people give it. */
export function showRole(role: Role): string {
  return Role[role]?.toLowerCase() ?? String(role);
}

function readRole(text: string): Role {
  const role = ROLES[text];
  if (role !== undefined) return role;
  throw unusable(`"${text}" is none of ${ROLE_NAMES}`);
}

function contentOptions(): Option[] {
  return [
    new Option('--name <name>', 'for people and the audit'),
    new Option('--role <role>', ROLE_NAMES),
    expiresOption(),
  ];
}

function expiresOption(): Option {
  return new Option('--expires <instant>', 'until when the token works, such as +30d');
}

function contentOf(call: Call) {
  const { flags } = call;
  const role = flags.text('role');
  if (flags.text('expires') === 'never') throw unusable("an operator's token always expires");
  return {
    ...optional('name', flags.text('name')),
    ...(role !== undefined && { role: readRole(role) }),
    ...optional('expiresAt', instantOf(call, 'expires')),
  };
}

const tokenFileOption = () => newFileOption('--new-token-file <file>', 'token');

export function addOperator(program: Command, around: Surroundings): void {
  const resource: Resource<typeof OperatorSchema> = {
    noun: addNoun(program, 'operator', 'who may use the admin API, and for what'),
    around,
    schema: OperatorSchema,
    columns: [
      ['ID', ({ id }) => id],
      ['NAME', ({ name }) => name],
      ['ROLE', ({ role }) => showRole(role)],
      ['EXPIRES', ({ expiresAt }) => showInstant(expiresAt)],
      ['REVOKED', ({ revokedAt }) => showInstant(revokedAt)],
      ...STAMPS,
    ],
    example: 'anna',
  };
  addCreate(resource);
  const list = { summary: 'list operators', examples: ['propusk operator list'] };
  addList(resource, list, async (api, page) => {
    const { operators: rows, nextPageToken } = await api.call(listOperators, page);
    return { rows, nextPageToken };
  });
  addGet(resource, (api, id) => api.call(getOperator, { id }));
  const update = {
    usage: 'update <id>',
    summary: 'change an operator; nobody changes his own role',
    examples: ['propusk operator update anna --role viewer'],
    options: contentOptions(),
  };
  addChange(resource, update, (api, id, call) => {
    const { flags } = call;
    const given = {
      name: flags.has('name'),
      role: flags.has('role'),
      expires_at: flags.has('expires'),
    };
    const operator = { id, ...contentOf(call), version: versionOf(flags) };
    return api.call(updateOperator, { operator, updateMask: maskOf(given) });
  });
  addRotate(resource);
  const revoke = {
    usage: 'revoke <id>',
    summary: "end an operator's token for good",
    examples: ['propusk operator revoke anna'],
    options: [],
  };
  addChange(resource, revoke, (api, id, { flags }) =>
    api.call(revokeOperator, { id, version: versionOf(flags) }),
  );
  addDelete(resource, 'remove an operator', (api, what) => api.call(deleteOperator, what));
}

function addCreate(resource: Resource<typeof OperatorSchema>): void {
  addCommand(resource.noun, resource.around, {
    usage: 'create [id]',
    summary: 'make an operator; the token is shown once',
    examples: [
      'propusk operator create anna --name Anna --role operator --new-token-file anna.token',
      'propusk operator create orders --name "Orders backend" --role service --new-token-file orders.token',
    ],
    options: [...contentOptions(), tokenFileOption(), requestIdOption()],
    asksAdmin: true,
    run: async (call, id = '') => {
      if (!call.flags.has('role')) throw unusable('which role? give --role');
      const input = {
        operator: { id, ...contentOf(call) },
        requestId: requestIdOf(call.flags),
      };
      const place = { name: 'token', path: call.flags.text('newTokenFile') } as const;
      await deliver(call, resource, place, async () => {
        const { operator, token } = await (await call.admin()).call(createOperator, input);
        return { made: operator, secret: token };
      });
    },
  });
}

function addRotate(resource: Resource<typeof OperatorSchema>): void {
  addCommand(resource.noun, resource.around, {
    usage: 'rotate <id>',
    summary: 'give an operator a new token, shown once; the old one works no more',
    examples: ['propusk operator rotate anna --expires +30d --new-token-file anna.token'],
    options: [expiresOption(), tokenFileOption(), versionOption(), requestIdOption()],
    asksAdmin: true,
    run: async (call, id = '') => {
      const { flags } = call;
      const { expiresAt } = contentOf(call);
      const input = {
        id,
        ...optional('expiresAt', expiresAt),
        version: versionOf(flags),
        requestId: requestIdOf(flags),
      };
      const place = { name: 'token', path: flags.text('newTokenFile') } as const;
      await deliver(call, resource, place, async () => {
        const { operator, token } = await (await call.admin()).call(rotateOperatorToken, input);
        return { made: operator, secret: token };
      });
    },
  });
}
