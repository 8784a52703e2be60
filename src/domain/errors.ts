/**
 * Every way in which Propusk says no: one error type, one table.
 *
 * A reason is UPPER_SNAKE, stable, and tells its gRPC code, its HTTP status and, where the API's
 * documents give one, the Russian sentence that clients see as the localized message.
 */

/** The gRPC status codes (google.rpc.Code). */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

/** The HTTP status that belongs to each gRPC code, by the code's number. */
const HTTP_STATUS_OF_CODE = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
] as const;

/** What one reason means on the wire. */
interface ReasonRow {
  readonly code: Code;
  /** Only where it is not the one that belongs to the code. */
  readonly httpStatus?: number;
  /** The documented Russian sentence; `{limit}` is the caller's own limit per minute. */
  readonly sentence?: string;
  /** When trying again makes sense where the error itself does not say, in milliseconds. */
  readonly retryAfterMs?: number;
}

const BAD_CREDENTIAL = 'Срок действия токена истек или токен недействителен';

const TABLE = {
  /** The request cannot be read: bad JSON, a wrong type, a bad frame, a bad header. */
  INVALID_REQUEST: { code: Code.INVALID_ARGUMENT },
  /** The secret is unknown, revoked, expired or empty; all alike to the caller. */
  SECRET_INVALID: { code: Code.UNAUTHENTICATED, sentence: BAD_CREDENTIAL },
  /** The token is malformed, forged, expired, revoked or empty; all alike to the caller. */
  TOKEN_INVALID: { code: Code.UNAUTHENTICATED, sentence: BAD_CREDENTIAL },
  /** A genuine token whose key holds no account, or holds none any more. */
  ACCOUNT_NOT_IN_TOKEN: { code: Code.NOT_FOUND, sentence: 'Счёт не был найден в токене' },
  /** The session is readonly, and the call would trade. */
  READONLY_SESSION: { code: Code.PERMISSION_DENIED },
  /** The account is readonly, and the call would trade. */
  READONLY_ACCOUNT: { code: Code.PERMISSION_DENIED },
  /** What is granted of the market does not reach the quote level that is asked for. */
  QUOTE_LEVEL_TOO_LOW: { code: Code.PERMISSION_DENIED },
  /** Market data of the market is forbidden. */
  ACCESS_FORBIDDEN: { code: Code.PERMISSION_DENIED },
  /** The account has no such order. */
  ORDER_NOT_FOUND: { code: Code.NOT_FOUND },
  /** Nothing of the order is left to cancel. */
  ORDER_NOT_ACTIVE: { code: Code.FAILED_PRECONDITION },
  /** Another order of the account has this client order id. */
  CLIENT_ORDER_ID_TAKEN: { code: Code.ALREADY_EXISTS },
  /** The account has as many orders open as it may. */
  ORDERS_FULL: { code: Code.FAILED_PRECONDITION },
  /** The operator's token is malformed, unknown, revoked, expired or missing; all alike to the caller. */
  OPERATOR_TOKEN_INVALID: { code: Code.UNAUTHENTICATED },
  /** The operator's role does not let it do this. */
  ROLE_INSUFFICIENT: { code: Code.PERMISSION_DENIED },
  /** An operator would take away its own rights. */
  OPERATOR_IS_CALLER: { code: Code.FAILED_PRECONDITION },
  /** Nobody would be left who can administer operators. */
  LAST_OWNER: { code: Code.FAILED_PRECONDITION },
  /** The key is revoked or has expired, so it gets no new secret. */
  KEY_NOT_ACTIVE: { code: Code.FAILED_PRECONDITION },
  /** The operator is revoked, so it gets no new token. */
  OPERATOR_REVOKED: { code: Code.FAILED_PRECONDITION },
  /** To be created, and there is one with this id already. */
  RESOURCE_EXISTS: { code: Code.ALREADY_EXISTS },
  /** There is nothing of this kind with this id. */
  RESOURCE_NOT_FOUND: { code: Code.NOT_FOUND },
  /** Somebody else changed it since the version that the change names; read it again. */
  VERSION_CONFLICT: { code: Code.ABORTED },
  /** To be deleted, and others still refer to it. */
  RESOURCE_IN_USE: { code: Code.FAILED_PRECONDITION },
  /** The request id belongs to a request with another body. */
  REQUEST_ID_REUSED: { code: Code.ALREADY_EXISTS },
  /** A method of the contract that nothing is behind here. */
  NOT_OFFERED: { code: Code.UNIMPLEMENTED },
  /** No such path (REST), or no such service to tell the health of. */
  ROUTE_NOT_FOUND: { code: Code.NOT_FOUND },
  /** A known path with another verb (REST). */
  VERB_NOT_ALLOWED: { code: Code.UNIMPLEMENTED, httpStatus: 405 },
  /** No such service or method (gRPC). */
  METHOD_NOT_FOUND: { code: Code.UNIMPLEMENTED },
  /** A message encoding that is not spoken here, or gRPC without HTTP/2. */
  ENCODING_UNSUPPORTED: { code: Code.UNIMPLEMENTED },
  /** A method that takes one message got none or several; the code is gRPC's own choice. */
  MESSAGE_COUNT_WRONG: { code: Code.UNIMPLEMENTED },
  /** A message is flagged as compressed, and no compression was named; likewise gRPC's choice. */
  COMPRESSION_UNDECLARED: { code: Code.INTERNAL },
  /** A gRPC method that was called as neither gRPC nor gRPC-Web. */
  CONTENT_TYPE_UNSUPPORTED: { code: Code.UNIMPLEMENTED, httpStatus: 415 },
  /** A message over the limit; sending it again will not help. */
  BODY_TOO_LARGE: { code: Code.RESOURCE_EXHAUSTED, httpStatus: 413 },
  /** More requests than the caller's limit allows. */
  RATE_LIMITED: {
    code: Code.RESOURCE_EXHAUSTED,
    sentence: 'Слишком много запросов. Доступный лимит - {limit} запросов в минуту',
  },
  /** Our fault; the log has the cause. */
  INTERNAL: {
    code: Code.INTERNAL,
    sentence: 'Внутренняя ошибка сервиса. Попробуйте позже',
  },
  /** Not now: draining, overloaded, or the database is away. */
  UNAVAILABLE: {
    code: Code.UNAVAILABLE,
    sentence: 'Сервис на данный момент не доступен. Попробуйте позже',
    retryAfterMs: 1000,
  },
  /** The deadline passed before the answer was there. */
  DEADLINE_EXCEEDED: {
    code: Code.DEADLINE_EXCEEDED,
    sentence: 'Крайний срок истек до завершения операции',
  },
  /** The caller went away. */
  CANCELLED: { code: Code.CANCELLED },
} as const satisfies Record<string, ReasonRow>;

/** A stable, documented name of a failure. */
export type Reason = keyof typeof TABLE;

/** The reasons that any method may answer, whatever it does. */
export const COMMON_REASONS: readonly Reason[] = [
  'INVALID_REQUEST',
  'RATE_LIMITED',
  'INTERNAL',
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
];

/** What a reason means on the wire. */
export function rowOf(reason: Reason): ReasonRow {
  return TABLE[reason];
}

/** True for a name that the table holds. */
export function isReason(name: string): name is Reason {
  return Object.hasOwn(TABLE, name);
}

/** The HTTP status of a reason's answer. */
export function httpStatusOf(reason: Reason): number {
  const row = rowOf(reason);
  return row.httpStatus ?? HTTP_STATUS_OF_CODE[row.code];
}

/** The name of a gRPC code, such as `NOT_FOUND`. */
export function codeName(code: Code): string {
  return Object.entries(Code).find(([, value]) => value === code)?.[0] ?? String(code);
}

/** One field of the request that is wrong, named as the contract names it (`legs[0].symbol`). */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** A key, as far as counting its calls needs it. */
export interface KnownKey {
  readonly keyId: string;
  /** Limits of its own: calls in any 60 seconds by the method's name. */
  readonly callsMax: Readonly<Record<string, number>>;
}

export interface AppErrorOptions {
  /** What really happened; logged, never sent. */
  readonly cause?: unknown;
  /** Sent in ErrorInfo. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** When trying again makes sense, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Sent as BadRequest. */
  readonly violations?: readonly FieldViolation[];
  /** The limit that was hit, in requests a minute; sent as QuotaFailure. */
  readonly limitPerMinute?: number;
  /** Whose call it was, where the caller is known and refused all the same: it counts for that key. */
  readonly knownKey?: KnownKey;
  /** What the log says where the caller must not know, such as `TOKEN_EXPIRED`. */
  readonly logReason?: string;
}

/** The one error that services and transports throw. Anything else is INTERNAL to the caller. */
export class AppError extends Error {
  readonly reason: Reason;
  readonly options: AppErrorOptions;

  /**
   * @param reason which row of the table
   * @param message English, for developers: what is wrong and what to do
   */
  constructor(reason: Reason, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.reason = reason;
    this.options = options;
  }

  get code(): Code {
    return rowOf(this.reason).code;
  }

  /** When trying again makes sense, in milliseconds; sent as RetryInfo. */
  get retryAfterMs(): number | undefined {
    return this.options.retryAfterMs ?? rowOf(this.reason).retryAfterMs;
  }

  /** The documented Russian sentence with the caller's real limit, where the documents give one. */
  get sentence(): string | undefined {
    return rowOf(this.reason).sentence?.replace('{limit}', String(this.options.limitPerMinute));
  }
}

/** Violations that a message tells; the details have all. gRPC clients take 8 KiB of both. */
const VIOLATIONS_TOLD_MAX = 5;

/** The refusal of a request for what its fields hold; the values, which may be secrets, are not told. */
export function refuseFields(violations: readonly FieldViolation[]): AppError {
  const told = violations
    .slice(0, VIOLATIONS_TOLD_MAX)
    .map(({ field, description }) => `${field} ${description}`);
  const more = violations.length - told.length;
  if (more > 0) told.push(`and ${more} more`);
  return new AppError('INVALID_REQUEST', told.join('; '), { violations });
}
