/**
 * Before a service hears of a call: who makes it, is it one too many, what does it ask, and may its
 * caller do that.
 */
import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import { continueWith } from '../domain/continue-with.ts';
import type { Operator } from '../domain/model.ts';
import { Role } from '../gen/propusk/contract/v1/contract_pb.js';
import type { Caller } from '../grants/admission.ts';
import type { Access } from './access.ts';
import type { Authenticator } from './authenticate.ts';
import type { Call } from './call.ts';
import type { Limiter } from './limit.ts';
import { type OperatorAccess, roleNeeded } from './operator-access.ts';
import { asAppError } from './status.ts';

/** The request of a call: one message, or those of a stream. */
export type Request = Message | AsyncIterable<Message>;

/**
 * Lets a call in, or throws or rejects with the AppError that its caller hears.
 * @param read reads the request; not called where the head is enough to refuse
 */
export type Admit = (
  call: Call,
  method: DescMethod,
  read: () => Request | Promise<Request>,
) => Request | Promise<Request>;

export interface AdmitParts {
  readonly authenticator: Authenticator;
  readonly access: Access;
  readonly limiter: Limiter;
  readonly operatorAccess: OperatorAccess;
  /** Services that anyone may call here, whatever the contract says: none but for trials. */
  readonly openServices: readonly DescService[];
}

/** True for programs at what is there for programs: what they may ask how often is a setting. */
function isService({ role }: Operator, method: DescMethod): boolean {
  return role === 'service' && roleNeeded(method) === Role.SERVICE;
}

/** Lets in whom the contract lets in, as often as it does. No promise where nothing waits. */
export function admitter(parts: AdmitParts): Admit {
  const { authenticator, limiter, openServices } = parts;
  return (call, method, read) => {
    if (roleNeeded(method) !== undefined && !openServices.includes(method.parent)) {
      return admitOperator(parts, call, method, read);
    }
    const refuse = async (thrown: unknown): Promise<never> => {
      const error = asAppError(thrown);
      throw call.caller === undefined ? await limiter.countRefused(call, method, error) : error;
    };
    try {
      const admitted = continueWith(authenticator.ofHead(method, call.head), (caller) => {
        call.caller = caller;
        return caller === undefined
          ? admitByRequest(parts, call, method, read)
          : admitByHead(parts, call, method, caller, read);
      });
      return admitted instanceof Promise ? admitted.catch(refuse) : admitted;
    } catch (thrown) {
      return refuse(thrown);
    }
  };
}

type Read = Parameters<Admit>[2];

function admitOperator(
  { operatorAccess, limiter }: AdmitParts,
  call: Call,
  method: DescMethod,
  read: Read,
): Request | Promise<Request> {
  return continueWith(operatorAccess.check(call, method), (operator) => {
    const counted = isService(operator, method) ? limiter.countService(call, operator) : undefined;
    return continueWith(counted, () =>
      // Once more then: the request may have taken its time to arrive.
      continueWith(read(), (request) =>
        continueWith(operatorAccess.checkAgain(call, method, operator), () => request),
      ),
    );
  });
}

async function admitByHead(
  { access, limiter }: AdmitParts,
  call: Call,
  method: DescMethod,
  caller: Caller,
  read: Read,
): Promise<Request> {
  const counted = limiter.count(call, method, caller);
  if (counted instanceof Promise) await counted;
  const request = await read();
  await access.check(call, method, request);
  return request;
}

/** Of a call with a known token only the request may still be to come. */
function admitByRequest(
  { authenticator, limiter }: AdmitParts,
  call: Call,
  method: DescMethod,
  read: Read,
): Request | Promise<Request> {
  return continueWith(read(), (request) =>
    continueWith(authenticator.ofRequest(method, request as Message, call.head), (caller) => {
      call.caller = caller;
      const counted = caller && limiter.count(call, method, caller);
      if (!(counted instanceof Promise)) return request;
      return counted
        .then(() => authenticator.again(caller as Caller))
        .then((still) => {
          // Once more: what was taken away while the counters were asked is gone.
          call.caller = still;
          return request;
        });
    }),
  );
}
