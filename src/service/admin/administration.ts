/** What the services of the administration work with. */
import { type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Clock, Random } from '../../domain/clock.ts';
import type { MasterKey } from '../../domain/master-key.ts';
import type { Operator } from '../../domain/model.ts';
import type { Call } from '../../pipeline/call.ts';
import type { ChangeBy, Store } from '../../store/store.ts';

export interface AdminParts {
  readonly store: Store;
  readonly masterKey: MasterKey;
  readonly clock: Clock;
  readonly random: Random;
}

/** The operator who calls. */
export function operatorOf({ operator }: Call): Operator {
  if (operator === undefined) throw new Error('the contract asks for an operator');
  return operator;
}

/** Who makes a change, for its audit entry. */
export function changeBy(call: Call, clock: Pick<Clock, 'now'>): ChangeBy {
  return {
    actor: `operator:${operatorOf(call).id}`,
    atMs: clock.now(),
    remoteAddress: call.head.remoteAddress,
    detail: { requestId: call.requestId },
  };
}

/** An instant as messages write it; undefined, which is a member that is not set, for none. */
export function instantMessage(ms: number | null): Timestamp | undefined {
  return ms === null ? undefined : timestampFromMs(ms);
}
