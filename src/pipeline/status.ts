/** The one place where an AppError becomes a google.rpc.Status, the same in every protocol. */
import { create, createRegistry, type Registry } from '@bufbuild/protobuf';
import { anyPack, DurationSchema } from '@bufbuild/protobuf/wkt';
import { AppError, type Code } from '../domain/errors.ts';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from '../gen/google/rpc/error_details_pb.js';
import { type Status, StatusSchema } from '../gen/google/rpc/status_pb.js';

/** Resolves the typed details when a Status is written as JSON. */
export const detailRegistry: Registry = createRegistry(
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
);

const DOMAIN = 'propusk';

function milliseconds(ms: number) {
  return create(DurationSchema, {
    seconds: BigInt(Math.floor(ms / 1000)),
    nanos: Math.floor((ms % 1000) * 1e6),
  });
}

/** An error whose whole Status was made elsewhere, and is passed on as it is. */
export class StatusError extends AppError {
  readonly status: Status;

  constructor(status: Status) {
    super('INTERNAL', status.message);
    this.status = status;
  }

  override get code(): Code {
    return this.status.code as Code;
  }
}

/** The Status that callers get for an error. */
export function statusOf(error: AppError): Status {
  if (error instanceof StatusError) return error.status;
  const { retryAfterMs } = error;
  const { metadata, violations, limitPerMinute } = error.options;
  const details = [
    anyPack(
      ErrorInfoSchema,
      create(ErrorInfoSchema, { reason: error.reason, domain: DOMAIN, metadata: metadata ?? {} }),
    ),
  ];
  if (violations !== undefined && violations.length > 0) {
    const fieldViolations = violations.map(({ field, description }) => ({ field, description }));
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  if (limitPerMinute !== undefined) {
    const description = `${limitPerMinute} requests a minute`;
    const quotaValue = BigInt(limitPerMinute);
    const violation = { subject: 'caller', description, quotaValue };
    const quota = create(QuotaFailureSchema, { violations: [violation] });
    details.push(anyPack(QuotaFailureSchema, quota));
  }
  if (retryAfterMs !== undefined) {
    const retry = create(RetryInfoSchema, { retryDelay: milliseconds(retryAfterMs) });
    details.push(anyPack(RetryInfoSchema, retry));
  }
  if (error.sentence !== undefined) {
    const localized = create(LocalizedMessageSchema, { locale: 'ru', message: error.sentence });
    details.push(anyPack(LocalizedMessageSchema, localized));
  }
  return create(StatusSchema, { code: error.code, message: error.message, details });
}

/**
 * A form of an error that is made once: those that refuse many calls at a time are made once too, and
 * their refusal must cost much less than the call.
 */
export function oncePerError<T>(make: (error: AppError) => T): (error: AppError) => T {
  const made = new WeakMap<AppError, T>();
  return (error) => {
    const before = made.get(error);
    if (before !== undefined) return before;
    const form = make(error);
    made.set(error, form);
    return form;
  };
}

/** What anything thrown becomes: itself if it is an AppError, else INTERNAL with the cause kept. */
export function asAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  return new AppError(
    'INTERNAL',
    'internal error; report it with the request id of this answer, and try again later',
    { cause: thrown },
  );
}
