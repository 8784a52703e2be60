/** propusk.admin.v1.UsageService: how often keys call, against their limits. */
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Quotas } from '../../counters/quotas.ts';
import type { Clock } from '../../domain/clock.ts';
import { AppError } from '../../domain/errors.ts';
import type { ApiKey } from '../../domain/model.ts';
import {
  ListUsageResponseSchema,
  UsageSchema,
  type UsageService,
} from '../../gen/propusk/admin/v1/usage_service_pb.js';
import type { ServiceImpl } from '../../pipeline/call.ts';
import type { Store } from '../../store/store.ts';
import { Fields } from './fields.ts';
import { cut, pageOf } from './page.ts';

export interface UsageParts {
  readonly store: Store;
  readonly clock: Pick<Clock, 'now'>;
  readonly quotas: Quotas;
}

/** Makes the service. */
export function usageService(parts: UsageParts): ServiceImpl<typeof UsageService> {
  const { store, clock, quotas } = parts;
  const usageOf = async ({ id, callsMax }: ApiKey) => {
    const left = await quotas.of({ keyId: id, callsMax });
    const now = clock.now();
    const methods = left.map(({ name: method, limit, remaining, resetMs }) => ({
      ...{ method, limit, remaining },
      resetAt: timestampFromMs(now + Math.ceil(resetMs)),
    }));
    return create(UsageSchema, { keyId: id, methods });
  };
  return {
    async getUsage({ keyId }) {
      const key = await store.get('key', keyId);
      if (key !== undefined) return usageOf(key);
      throw new AppError('RESOURCE_NOT_FOUND', 'there is no key with this id');
    },
    async listUsage(request) {
      const fields = new Fields();
      const clientId = fields.filter('client_id', request.clientId);
      const page = pageOf(request, ['usage', clientId], fields);
      fields.check();
      const found = await store.list('key', {
        ...(clientId !== undefined && { clientId }),
        ...(page.after !== undefined && { afterId: String(page.after) }),
        limit: page.limit + 1,
      });
      const { items, nextPageToken } = cut(found, page, ({ id }) => id);
      const usage = await Promise.all(items.map(usageOf));
      return create(ListUsageResponseSchema, { usage, nextPageToken });
    },
  };
}
