/** Rows of the methods for clients, accounts, plans and subscriptions. */
import type { DescMethodUnary } from '@bufbuild/protobuf';
import { MDPermission_QuoteLevel } from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { AccountService } from '../src/gen/propusk/admin/v1/account_service_pb.js';
import { ClientService } from '../src/gen/propusk/admin/v1/client_service_pb.js';
import { PlanService } from '../src/gen/propusk/admin/v1/plan_service_pb.js';
import { SubscriptionService } from '../src/gen/propusk/admin/v1/subscription_service_pb.js';
import {
  LONG,
  made,
  masked,
  NOT_FOUND,
  noneWithId,
  noPage,
  otherVersion,
  type Row,
  recorded,
} from './admin-rows.ts';
import { unique } from './start.ts';

const clients = ClientService.method;
const accounts = AccountService.method;
const plans = PlanService.method;
const subscriptions = SubscriptionService.method;
const permission = {
  quoteLevel: MDPermission_QuoteLevel.LAST_PRICE,
  condition: { case: 'mic' as const, value: 'MISX' },
};

export const RECORD_ROWS: readonly (readonly [DescMethodUnary, Row])[] = [
  [
    clients.createClient,
    {
      role: 'operator',
      good: () => ({ client: { name: 'A' } }),
      wrong: [
        [() => ({ client: { id: 'a b' } }), 'client.id'],
        [() => ({ client: { id: '..' } }), 'client.id'],
        [() => ({ client: { id: '-a' } }), 'client.id'],
        [() => ({ client: { name: LONG } }), 'client.name'],
        [({ client }) => ({ client: { id: client } }), 'RESOURCE_EXISTS'],
        [() => ({ client: {}, requestId: 'ä' }), 'request_id'],
      ],
      audit: made('client'),
    },
  ],
  [
    clients.getClient,
    { role: 'viewer', good: ({ client }) => ({ id: client }), wrong: noneWithId },
  ],
  [clients.listClients, { role: 'viewer', good: () => ({ pageSize: 3 }), wrong: noPage }],
  [
    clients.updateClient,
    {
      role: 'operator',
      good: ({ client }) => ({
        client: { id: client, name: 'B' },
        updateMask: { paths: ['name'] },
      }),
      wrong: [
        ...masked('client', ({ client }) => client),
        [
          ({ client }) => ({ client: { id: client, name: LONG }, updateMask: { paths: ['name'] } }),
          'client.name',
        ],
        [() => ({ client: { id: 'nobody' }, updateMask: { paths: ['name'] } }), NOT_FOUND],
        [
          ({ client }) => ({
            client: { id: client, version: 1n },
            updateMask: { paths: ['name'] },
          }),
          'VERSION_CONFLICT',
        ],
      ],
      audit: recorded('client.update', ({ client }) => client),
    },
  ],
  [
    clients.deleteClient,
    {
      role: 'operator',
      good: ({ loneClient }) => ({ id: loneClient }),
      wrong: [
        ...noneWithId,
        otherVersion(({ loneClient }) => loneClient),
        [({ client }) => ({ id: client }), 'RESOURCE_IN_USE'],
      ],
      audit: recorded('client.delete', ({ loneClient }) => loneClient),
    },
  ],
  [
    accounts.createAccount,
    {
      role: 'operator',
      good: ({ client }) => ({ account: { id: `TRQD05:${unique()}`, clientId: client } }),
      wrong: [
        [({ client }) => ({ account: { clientId: client } }), 'account.id'],
        [() => ({ account: { id: 'A1' } }), 'account.client_id'],
        [() => ({ account: { id: unique(), clientId: 'nobody' } }), 'INVALID_REQUEST'],
      ],
      audit: made('account'),
    },
  ],
  [
    accounts.getAccount,
    { role: 'viewer', good: ({ account }) => ({ id: account }), wrong: noneWithId },
  ],
  [
    accounts.listAccounts,
    {
      role: 'viewer',
      good: ({ client }) => ({ clientId: client }),
      wrong: [...noPage, [() => ({ clientId: 'a b' }), 'client_id']],
    },
  ],
  [
    accounts.updateAccount,
    {
      role: 'operator',
      good: ({ account }) => ({
        account: { id: account, readonly: true },
        updateMask: { paths: ['readonly'] },
      }),
      wrong: masked('account', ({ account }) => account),
      audit: recorded('account.update', ({ account }) => account),
    },
  ],
  [
    accounts.deleteAccount,
    {
      role: 'operator',
      good: ({ account }) => ({ id: account }),
      wrong: [...noneWithId, otherVersion(({ account }) => account)],
      audit: recorded('account.delete', ({ account }) => account),
    },
  ],
  [
    plans.createPlan,
    {
      role: 'operator',
      good: () => ({ plan: { name: 'P', permissions: [permission] } }),
      wrong: [
        [() => ({ plan: { permissions: [{ delayMinutes: -1 }] } }), 'plan.permissions[0].mic'],
        [
          () => ({ plan: { permissions: [permission, { ...permission, quoteLevel: 0 }] } }),
          'plan.permissions[1].quote_level',
        ],
      ],
      audit: made('plan'),
    },
  ],
  [plans.getPlan, { role: 'viewer', good: ({ plan }) => ({ id: plan }), wrong: noneWithId }],
  [plans.listPlans, { role: 'viewer', good: () => ({}), wrong: noPage }],
  [
    plans.updatePlan,
    {
      role: 'operator',
      good: ({ plan }) => ({ plan: { id: plan }, updateMask: { paths: ['permissions'] } }),
      wrong: masked('plan', ({ plan }) => plan),
      audit: recorded('plan.update', ({ plan }) => plan),
    },
  ],
  [
    plans.deletePlan,
    {
      role: 'operator',
      good: ({ lonePlan }) => ({ id: lonePlan }),
      wrong: [
        ...noneWithId,
        otherVersion(({ lonePlan }) => lonePlan),
        [({ plan }) => ({ id: plan }), 'RESOURCE_IN_USE'],
      ],
      audit: recorded('plan.delete', ({ lonePlan }) => lonePlan),
    },
  ],
  [
    subscriptions.createSubscription,
    {
      role: 'operator',
      good: ({ client, plan }) => ({ subscription: { clientId: client, planId: plan } }),
      wrong: [
        [({ client }) => ({ subscription: { clientId: client } }), 'subscription.plan_id'],
        [
          ({ client, plan }) => ({
            subscription: { clientId: client, planId: plan, endsAt: { seconds: 1n } },
          }),
          'subscription.ends_at',
        ],
        [
          ({ client }) => ({ subscription: { clientId: client, planId: 'none' } }),
          'INVALID_REQUEST',
        ],
      ],
      audit: made('subscription'),
    },
  ],
  [
    subscriptions.getSubscription,
    { role: 'viewer', good: ({ subscription }) => ({ id: subscription }), wrong: noneWithId },
  ],
  [
    subscriptions.listSubscriptions,
    {
      role: 'viewer',
      good: ({ plan }) => ({ planId: plan }),
      wrong: [...noPage, [() => ({ planId: 'a b' }), 'plan_id']],
    },
  ],
  [
    subscriptions.updateSubscription,
    {
      role: 'operator',
      good: ({ subscription }) => ({
        subscription: { id: subscription, endsAt: { seconds: 4_000_000_000n } },
        updateMask: { paths: ['ends_at'] },
      }),
      wrong: masked('subscription', ({ subscription }) => subscription),
      audit: recorded('subscription.update', ({ subscription }) => subscription),
    },
  ],
  [
    subscriptions.deleteSubscription,
    {
      role: 'operator',
      good: ({ subscription }) => ({ id: subscription }),
      wrong: [...noneWithId, otherVersion(({ subscription }) => subscription)],
      audit: recorded('subscription.delete', ({ subscription }) => subscription),
    },
  ],
];
