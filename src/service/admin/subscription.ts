/** propusk.admin.v1.SubscriptionService: which client has which plan, from and until. */
import { create } from '@bufbuild/protobuf';
import { EmptySchema, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  CreateSubscriptionRequestSchema,
  ListSubscriptionsResponseSchema,
  SubscriptionSchema,
  type SubscriptionService,
} from '../../gen/propusk/admin/v1/subscription_service_pb.js';
import type { ServiceImpl } from '../../pipeline/call.ts';
import type { AdminParts } from './administration.ts';
import { keptOf, ResourceOperations, type Shape } from './resources.ts';

const SHAPE: Shape<'subscription', typeof SubscriptionSchema> = {
  kind: 'subscription',
  schema: SubscriptionSchema,
  changeable: ['plan_id', 'starts_at', 'ends_at'],
  toMessage: (stored) => {
    const { id, clientId, planId, startsAtMs, endsAtMs } = stored;
    return create(SubscriptionSchema, {
      ...{ id, clientId, planId },
      startsAt: timestampFromMs(startsAtMs),
      ...(endsAtMs !== null && { endsAt: timestampFromMs(endsAtMs) }),
      ...keptOf(stored),
    });
  },
  read: ({ clientId, planId, startsAt, endsAt }, base, fields) => {
    const startsAtMs = fields.instant('starts_at', startsAt) ?? base.startsAtMs;
    const endsAtMs = fields.instant('ends_at', endsAt);
    if (endsAtMs !== null && endsAtMs <= startsAtMs) {
      fields.refuse('ends_at', 'is not after starts_at');
    }
    return {
      ...base,
      clientId: fields.id('client_id', clientId),
      planId: fields.id('plan_id', planId),
      startsAtMs,
      endsAtMs,
    };
  },
};

/** Makes the service. */
export function subscriptionService(parts: AdminParts): ServiceImpl<typeof SubscriptionService> {
  const subscriptions = new ResourceOperations(SHAPE, parts);
  return {
    async createSubscription(request, call) {
      const asked = { schema: CreateSubscriptionRequestSchema, request };
      const now = parts.clock.now();
      const base = { clientId: '', planId: '', startsAtMs: now, endsAtMs: null };
      const { stored } = await subscriptions.create(asked, request.subscription, base, call);
      return SHAPE.toMessage(stored);
    },
    async getSubscription({ id }) {
      return SHAPE.toMessage(await subscriptions.get(id));
    },
    async listSubscriptions(request) {
      const { items, nextPageToken } = await subscriptions.list(request);
      return create(ListSubscriptionsResponseSchema, { subscriptions: items, nextPageToken });
    },
    updateSubscription({ subscription, updateMask }, call) {
      return subscriptions.update(subscription, updateMask, call);
    },
    async deleteSubscription({ id, version }, call) {
      await subscriptions.remove(id, version, call);
      return create(EmptySchema);
    },
  };
}
