/**
 * Errors on purpose (`--fault METHOD=CODE@PROBABILITY`, dev only), so that the author of a client
 * can meet every documented error. A fault answers what the method's contract documents for its
 * code, with the same details as the real one.
 */
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import {
  AppError,
  COMMON_REASONS,
  Code,
  codeName,
  httpStatusOf,
  isReason,
  type Reason,
  rowOf,
} from '../domain/errors.ts';
import { Caller } from '../gen/propusk/contract/v1/contract_pb.js';
import { contractOf } from './method-contract.ts';
import { methodNamed } from './method-name.ts';

/** One `--fault`, read. */
export interface Fault {
  readonly method: DescMethod;
  readonly reason: Reason;
  /** 0 to 1. */
  readonly probability: number;
}

/** What a method says to those who may not call it, where operators do. */
const OPERATOR_REASONS: readonly Reason[] = ['OPERATOR_TOKEN_INVALID', 'ROLE_INSUFFICIENT'];
/** The documents' own figure. */
const DOCUMENTED_LIMIT_PER_MINUTE = 200;
const LIMITED_RETRY_AFTER_MS = 1000;

/** The reasons that a method's contract documents, its own first. */
export function documentedReasons(method: DescMethod): Reason[] {
  const { errors, caller } = contractOf(method);
  const ofOperators = caller === Caller.OPERATOR ? OPERATOR_REASONS : [];
  return [...errors.filter(isReason), ...ofOperators, ...COMMON_REASONS];
}

/**
 * Reads one fault. `METHOD` is `TokenDetails` or `grpc.tradeapi.v1.auth.AuthService/TokenDetails`,
 * `CODE` a gRPC code's name, an HTTP status or a reason, `PROBABILITY` 0 to 1 (1 where left out).
 * @returns the fault, or one sentence that says what is wrong
 */
export function parseFault(text: string, services: readonly DescService[]): Fault | string {
  const parts = /^([^=]+)=([A-Za-z_0-9]+)(?:@([0-9.]+))?$/.exec(text);
  if (parts === null) {
    return `"${text}" is not METHOD=CODE@PROBABILITY, such as TokenDetails=UNAVAILABLE@0.1`;
  }
  const [, name = '', code = '', share = '1'] = parts;
  const method = methodNamed(name, services);
  if (typeof method === 'string') return `"${text}" ${method}`;
  const reasons = documentedReasons(method);
  const wanted = code.toUpperCase();
  const reason = reasons.find((r) =>
    [r, codeName(rowOf(r).code), String(httpStatusOf(r))].includes(wanted),
  );
  if (reason === undefined) {
    const known = reasons.map((r) => `${codeName(rowOf(r).code)} (${httpStatusOf(r)})`);
    return `"${text}": ${method.name} does not answer ${code}; it answers ${known.join(', ')}`;
  }
  const probability = Number(share);
  if (!(probability >= 0 && probability <= 1)) {
    return `"${text}": a probability lies between 0 and 1`;
  }
  return { method, reason, probability };
}

/** An error as the documents tell of it, with the details that its reason comes with. */
export function sampleOf(reason: Reason, message: string): AppError {
  const { code } = rowOf(reason);
  return new AppError(reason, message, {
    ...(code === Code.RESOURCE_EXHAUSTED && {
      limitPerMinute: DOCUMENTED_LIMIT_PER_MINUTE,
      retryAfterMs: LIMITED_RETRY_AFTER_MS,
    }),
    ...(code === Code.INVALID_ARGUMENT && {
      violations: [{ field: 'field', description: 'what is wrong with it' }],
    }),
  });
}

/** Draws the faults of each call. */
export class Faults {
  readonly #faults: readonly Fault[];
  readonly #draw: () => number;

  /** @param draw gives numbers from 0 up to 1 */
  constructor(faults: readonly Fault[], draw: () => number) {
    this.#faults = faults;
    this.#draw = draw;
  }

  /** The error that this call shall meet, if any. */
  pick(method: DescMethod): AppError | undefined {
    for (const fault of this.#faults) {
      if (fault.method === method && this.#draw() < fault.probability) {
        return sampleOf(fault.reason, `a fault on purpose (--fault): ${fault.reason}`);
      }
    }
    return undefined;
  }
}
