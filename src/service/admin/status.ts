/** propusk.admin.v1.StatusService: how the server is, and who asks. */
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Clock } from '../../domain/clock.ts';
import {
  GetStatusResponseSchema,
  type StatusService,
} from '../../gen/propusk/admin/v1/status_service_pb.js';
import type { ServiceImpl } from '../../pipeline/call.ts';
import type { Store } from '../../store/store.ts';
import { operatorOf } from './administration.ts';
import { operatorMessage } from './operator.ts';

export interface StatusParts {
  readonly store: Store;
  readonly clock: Pick<Clock, 'now'>;
  /** The program's. */
  readonly version: string;
  /** `serve` or `dev`. */
  readonly mode: string;
}

/** Makes the service; it starts now. */
export function statusService(parts: StatusParts): ServiceImpl<typeof StatusService> {
  const { store, clock, version, mode } = parts;
  const startedAt = timestampFromMs(clock.now());
  return {
    async getStatus(_request, call) {
      const operator = await store.get('operator', operatorOf(call).id);
      return create(GetStatusResponseSchema, {
        ...{ version, mode, startedAt },
        now: timestampFromMs(clock.now()),
        ...(operator !== undefined && { operator: operatorMessage(operator) }),
      });
    },
  };
}
