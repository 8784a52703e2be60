/** `propusk subscription`: which client has which plan, from and until. */
import { type Command, Option } from 'commander';
import {
  SubscriptionSchema,
  SubscriptionService,
} from '../src/gen/propusk/admin/v1/subscription_service_pb.js';
import { addNoun, type Call } from './command.ts';
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
  STAMPS,
  showInstant,
  versionOf,
} from './resource.ts';
import type { Surroundings } from './surroundings.ts';

const {
  createSubscription,
  getSubscription,
  listSubscriptions,
  updateSubscription,
  deleteSubscription,
} = SubscriptionService.method;

function planOption(help: string): Option {
  return new Option('--plan <id>', help);
}

function periodOptions(): Option[] {
  return [
    new Option('--from <instant>', 'from when on, such as 2027-01-01 or +1d'),
    new Option('--until <instant>', 'until when, such as 2027-12-31T23:00:00+03:00, or never'),
  ];
}

function contentOf(call: Call) {
  return {
    ...optional('planId', call.flags.text('plan')),
    ...optional('startsAt', instantOf(call, 'from')),
    ...optional('endsAt', instantOf(call, 'until')),
  };
}

export function addSubscription(program: Command, around: Surroundings): void {
  const resource: Resource<typeof SubscriptionSchema> = {
    noun: addNoun(program, 'subscription', "a client's plan, from and until"),
    around,
    schema: SubscriptionSchema,
    columns: [
      ['ID', ({ id }) => id],
      ['CLIENT', ({ clientId }) => clientId],
      ['PLAN', ({ planId }) => planId],
      ['FROM', ({ startsAt }) => showInstant(startsAt)],
      ['UNTIL', ({ endsAt }) => (endsAt === undefined ? 'never' : showInstant(endsAt))],
      ...STAMPS,
    ],
    example: 'acme-moex',
  };
  const create = {
    usage: 'create [id]',
    summary: 'subscribe a client to a plan; from now on where no other instant is given',
    examples: ['propusk subscription create acme-moex --client acme --plan moex --until +365d'],
    options: [
      clientOption('who subscribes').makeOptionMandatory(),
      planOption('to what').makeOptionMandatory(),
      ...periodOptions(),
    ],
  };
  addChange(resource, create, (api, id, call) => {
    const clientId = call.flags.text('client') ?? '';
    const subscription = { id, clientId, ...contentOf(call) };
    return api.call(createSubscription, { subscription, requestId: requestIdOf(call.flags) });
  });
  const list = {
    summary: 'list subscriptions',
    examples: ['propusk subscription list --plan moex'],
    options: [clientOption('those of this client only'), planOption('those to this plan only')],
  };
  addList(resource, list, async (api, page, { flags }) => {
    const answer = await api.call(listSubscriptions, {
      ...page,
      ...optional('clientId', flags.text('client')),
      ...optional('planId', flags.text('plan')),
    });
    return { rows: answer.subscriptions, nextPageToken: answer.nextPageToken };
  });
  addGet(resource, (api, id) => api.call(getSubscription, { id }));
  const update = {
    usage: 'update <id>',
    summary: 'change a subscription',
    examples: ['propusk subscription update acme-moex --until never'],
    options: [planOption('another plan'), ...periodOptions()],
  };
  addChange(resource, update, (api, id, call) => {
    const { flags } = call;
    const subscription = { id, ...contentOf(call), version: versionOf(flags) };
    const given = {
      plan_id: flags.has('plan'),
      starts_at: flags.has('from'),
      ends_at: flags.has('until'),
    };
    return api.call(updateSubscription, { subscription, updateMask: maskOf(given) });
  });
  const summary = 'end a subscription at once and remove it';
  addDelete(resource, summary, (api, what) => api.call(deleteSubscription, what));
}
