/** grpc.tradeapi.v1.metrics.UsageMetricsService: what is left of the caller's limits. */
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Quotas } from '../counters/quotas.ts';
import type { Clock } from '../domain/clock.ts';
import {
  GetUsageMetricsResponseSchema,
  type UsageMetricsService,
} from '../gen/grpc/tradeapi/v1/metrics/usage_metrics_service_pb.js';
import type { ServiceImpl } from '../pipeline/call.ts';

/** Makes the service. */
export function usageMetricsService(
  quotas: Quotas,
  clock: Clock,
): ServiceImpl<typeof UsageMetricsService> {
  return {
    async getUsageMetrics(_request, { caller }) {
      if (caller === undefined) throw new Error('the contract asks for a caller');
      const left = await quotas.of(caller.grant);
      const now = clock.now();
      return create(GetUsageMetricsResponseSchema, {
        quotas: left.map(({ name, limit, remaining, resetMs }) => ({
          name,
          limit: BigInt(limit),
          remaining: BigInt(remaining),
          resetTime: timestampFromMs(now + Math.ceil(resetMs)),
        })),
      });
    },
  };
}
