/** grpc.tradeapi.v1.auth.AuthService: sign-in, what a token may do, and renewal. */
import { create } from '@bufbuild/protobuf';
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { type Clock, newTimedId, type Random } from '../domain/clock.ts';
import { AppError, refuseFields } from '../domain/errors.ts';
import type { Grant } from '../domain/grant.ts';
import type { Session } from '../domain/model.ts';
import { refuseSecret } from '../domain/secret.ts';
import { type Claims, type SigningKey, signToken } from '../domain/token.ts';
import {
  AuthResponseSchema,
  type AuthService,
  SubscribeJwtRenewalResponseSchema,
} from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import type { Admission, Caller } from '../grants/admission.ts';
import type { Grants } from '../grants/grants.ts';
import type { Call, ServiceImpl } from '../pipeline/call.ts';
import type { Store } from '../store/store.ts';
import { permissionMessages } from './market-permissions.ts';

const SOURCE_APP_ID_LENGTH_MAX = 256;
/** A token is renewed this long before it ends, or a quarter of its life if that is less. */
const RENEWAL_LEAD_MS_MAX = 60_000;

export interface AuthOptions {
  readonly store: Store;
  readonly grants: Grants;
  readonly admission: Admission;
  /** Signs new tokens. */
  readonly signingKey: SigningKey;
  /** How long a session lives, whole seconds. */
  readonly sessionTtlSeconds: number;
  readonly clock: Clock;
  readonly random: Random;
}

interface SignIn {
  readonly secret: string;
  readonly sourceAppId: string;
}

/** Makes the service. */
export function authService(options: AuthOptions): ServiceImpl<typeof AuthService> {
  const sessions = new Sessions(options);
  return {
    async auth(request, call) {
      const { token } = await sessions.open(request, call);
      return create(AuthResponseSchema, { token });
    },

    tokenDetails(_request, call) {
      const { claims, grant } = callerOf(call);
      if (claims === undefined) throw new Error('the contract asks for a token');
      if (grant.accountIds.length === 0) {
        throw new AppError('ACCOUNT_NOT_IN_TOKEN', 'the token holds no account');
      }
      // Not by create, which would make lists of its own, and takes longer than all else here.
      return {
        $typeName: 'grpc.tradeapi.v1.auth.TokenDetailsResponse',
        createdAt: timestampOf(claims.issuedAt),
        expiresAt: timestampOf(claims.expiresAt),
        mdPermissions: permissionMessages(grant.permissions),
        // Messages have no readonly lists.
        accountIds: grant.accountIds as string[],
        readonly: grant.readonly,
      };
    },

    async *subscribeJwtRenewal(request, call) {
      for (;;) {
        const { token, claims } = await sessions.open(request, call);
        yield create(SubscribeJwtRenewalResponseSchema, { token });
        await sessions.untilRenewal(request, claims, call);
      }
    },
  };
}

/** When a grant, or which secrets are good for it, changes by itself. */
function nextChangeOf({ changesAtMs, previousSecretEndsAtMs }: Grant, nowMs: number): number {
  const isAhead = previousSecretEndsAtMs !== null && previousSecretEndsAtMs > nowMs;
  return isAhead ? Math.min(changesAtMs, previousSecretEndsAtMs) : changesAtMs;
}

function checkSourceAppId(text: string): void {
  const description =
    text.length > SOURCE_APP_ID_LENGTH_MAX
      ? `takes at most ${SOURCE_APP_ID_LENGTH_MAX} characters`
      : text.includes('\0')
        ? 'holds the character U+0000'
        : undefined;
  if (description !== undefined) throw refuseFields([{ field: 'source_app_id', description }]);
}

function timestampOf(seconds: number): Timestamp {
  return { $typeName: 'google.protobuf.Timestamp', seconds: BigInt(seconds), nanos: 0 };
}

function callerOf({ caller }: Call): Caller {
  if (caller === undefined) throw new Error('the contract asks for a caller');
  return caller;
}

/** Opens sessions and tells when the next one is due. */
class Sessions {
  readonly #options: AuthOptions;

  constructor(options: AuthOptions) {
    this.#options = options;
  }

  /** A new session and its token; it is recorded, with its audit entry, before this resolves. */
  async open(request: SignIn, call: Call): Promise<{ token: string; claims: Claims }> {
    const { admission, signingKey, clock, random } = this.#options;
    checkSourceAppId(request.sourceAppId);
    const { keyId } = callerOf(call).grant;
    // Asked again each time: a stream opens many sessions.
    const held = admission.ofKey(keyId);
    const grant = held instanceof Promise ? await held : held;
    const nowMs = clock.now();
    const issuedAt = Math.floor(nowMs / 1000);
    const claims: Claims = {
      clientId: grant.clientId,
      sessionId: newTimedId(random, nowMs),
      keyId,
      issuedAt,
      expiresAt: issuedAt + this.#options.sessionTtlSeconds,
    };
    // Nothing is recorded for a caller who is gone or was told no.
    if (call.ended !== undefined) throw call.ended;
    if (!(await this.#record(claims, request, call))) throw refuseSecret('SECRET_REVOKED');
    return { token: signToken(claims, signingKey), claims };
  }

  /**
   * Resolves when the session's successor is due.
   * @throws AppError SECRET_INVALID as soon as the key or the session is revoked, or the secret is
   * none of the key's any more; what ended the
   * call when that comes first, so that nothing is recorded for a caller who is gone
   */
  untilRenewal(request: SignIn, claims: Claims, call: Call): Promise<void> {
    const { grants, clock } = this.#options;
    const dueAtMs = this.#dueAtMs(claims);
    return new Promise((resolve, reject) => {
      if (call.ended !== undefined) return reject(call.ended);
      const settle = (error?: unknown) => {
        end();
        forget();
        if (error === undefined) resolve();
        else reject(error);
      };
      const end = grants.attend(claims, {
        look: async () => {
          const grant = await this.#checkStillGood(request, claims, call);
          if (dueAtMs <= clock.now()) settle();
          return Math.min(dueAtMs, nextChangeOf(grant, clock.now()));
        },
        failed: settle,
      });
      const forget = call.onEnd(settle);
    });
  }

  /** The lead before the end, spread to the earlier side so that renewals do not come in crowds. */
  #dueAtMs({ expiresAt }: Claims): number {
    const lifeMs = this.#options.sessionTtlSeconds * 1000;
    const leadMs = Math.min(RENEWAL_LEAD_MS_MAX, lifeMs / 4);
    const share = this.#options.random(4).readUInt32BE() / 2 ** 32;
    return expiresAt * 1000 - leadMs * (1 + share / 2);
  }

  /** The secret as well: it may have been replaced, or may not be used from there any more. */
  async #checkStillGood({ secret }: SignIn, claims: Claims, call: Call): Promise<Grant> {
    const { admission, grants } = this.#options;
    const { remoteAddress } = call.head;
    const { grant } = await admission.ofSecret(secret, remoteAddress, claims);
    if (grants.isSessionRevoked(claims.sessionId)) throw refuseSecret('SESSION_REVOKED');
    return grant;
  }

  #record(claims: Claims, { sourceAppId }: SignIn, call: Call): Promise<boolean> {
    const { secretMac } = callerOf(call);
    // Without it, any secret would do.
    if (secretMac === undefined) throw new Error('the contract asks for a secret');
    const { remoteAddress, protocol, method } = call.head;
    const session: Session = {
      id: claims.sessionId,
      keyId: claims.keyId,
      clientId: claims.clientId,
      sourceAppId,
      remoteAddress,
      issuedAtMs: claims.issuedAt * 1000,
      expiresAtMs: claims.expiresAt * 1000,
      revokedAtMs: null,
    };
    const { store, clock } = this.#options;
    const audit = {
      atMs: clock.now(),
      actor: `key:${claims.keyId}`,
      action: 'session.create',
      target: `session:${claims.sessionId}`,
      remoteAddress,
      detail: { method: method?.name, protocol, sourceAppId, requestId: call.requestId },
    };
    return store.createSession(session, audit, secretMac);
  }
}
