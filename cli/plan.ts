/** `propusk plan`: a named set of market data permissions. */
import { type Command, Option } from 'commander';
import { PlanSchema, PlanService } from '../src/gen/propusk/admin/v1/plan_service_pb.js';
import { addNoun, type Flags, repeatable } from './command.ts';
import { readPermission, showPermission } from './permission.ts';
import {
  addChange,
  addDelete,
  addGet,
  addList,
  maskOf,
  optional,
  type Resource,
  requestIdOf,
  STAMPS,
  versionOf,
} from './resource.ts';
import type { Surroundings } from './surroundings.ts';

const { createPlan, getPlan, listPlans, updatePlan, deletePlan } = PlanService.method;

function contentOptions(): Option[] {
  return [
    new Option('--name <name>', 'for people'),
    repeatable(
      '--permission <permission>',
      'WHERE=LEVEL[@MINUTES of delay]; WHERE is mic:…, country:…, continent:… or worldwide',
    ),
  ];
}

function contentOf(flags: Flags) {
  return {
    ...optional('name', flags.text('name')),
    permissions: flags.texts('permission').map(readPermission),
  };
}

export function addPlan(program: Command, around: Surroundings): void {
  const resource: Resource<typeof PlanSchema> = {
    noun: addNoun(program, 'plan', 'a named set of market data permissions'),
    around,
    schema: PlanSchema,
    columns: [
      ['ID', ({ id }) => id],
      ['NAME', ({ name }) => name],
      ['PERMISSIONS', ({ permissions }) => permissions.map(showPermission).join(' ')],
      ...STAMPS,
    ],
    example: 'moex',
  };
  const create = {
    usage: 'create [id]',
    summary: 'make a plan; the server makes an id where none is given',
    examples: [
      "propusk plan create moex --name 'Moscow Exchange' --permission 'mic:#RBRD=DEPTH_OF_MARKET'",
      'propusk plan create world --permission worldwide=LAST_PRICE@15',
    ],
    options: contentOptions(),
  };
  addChange(resource, create, (api, id, { flags }) => {
    const plan = { id, ...contentOf(flags) };
    return api.call(createPlan, { plan, requestId: requestIdOf(flags) });
  });
  const list = { summary: 'list plans', examples: ['propusk plan list --output yaml'] };
  addList(resource, list, async (api, page) => {
    const { plans: rows, nextPageToken } = await api.call(listPlans, page);
    return { rows, nextPageToken };
  });
  addGet(resource, (api, id) => api.call(getPlan, { id }));
  const update = {
    usage: 'update <id>',
    summary: 'change a plan; the permissions that are given take the place of all it had',
    examples: ["propusk plan update moex --permission 'mic:#RBRD=BEST_BID_OFFER@15'"],
    options: contentOptions(),
  };
  addChange(resource, update, (api, id, { flags }) => {
    const plan = { id, ...contentOf(flags), version: versionOf(flags) };
    const given = { name: flags.has('name'), permissions: flags.has('permission') };
    return api.call(updatePlan, { plan, updateMask: maskOf(given) });
  });
  const summary = 'remove a plan that nobody has subscribed to';
  addDelete(resource, summary, (api, what) => api.call(deletePlan, what));
}
