/** propusk.access.v1.AccessService: may the holder of a token do this? */
import { create } from '@bufbuild/protobuf';
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Clock } from '../domain/clock.ts';
import { AppError } from '../domain/errors.ts';
import { isMic, type Markets, MIC_RULE } from '../domain/mic.ts';
import { QuoteLevel } from '../domain/permission.ts';
import {
  type AccessService,
  Action,
  type CheckRequest,
  CheckRequestSchema,
  CheckResponseSchema,
  CheckStreamResponseSchema,
} from '../gen/propusk/access/v1/access_service_pb.js';
import type { Admission } from '../grants/admission.ts';
import type { Grants } from '../grants/grants.ts';
import type { ServiceImpl } from '../pipeline/call.ts';
import { type Asked, changesAtMs, type Decision, Decisions } from './access-decisions.ts';
import { Fields } from './admin/fields.ts';

export interface AccessParts {
  readonly admission: Admission;
  readonly grants: Grants;
  readonly markets: Markets;
  readonly clock: Pick<Clock, 'now'>;
  /** For how long an answer may be kept at most; 0: not at all. */
  readonly checkCacheMsMax: number;
}

const UNKNOWN_ASKED = 'the request asks about what is not known here';

/** Makes the service. */
export function accessService(parts: AccessParts): ServiceImpl<typeof AccessService> {
  const decisions = new Decisions(parts);
  return {
    async check(request) {
      const decision = await decisions.of(readAsked(request, new Fields(), parts));
      return create(CheckResponseSchema, answerOf(decision, parts));
    },

    async *checkStream({ check = create(CheckRequestSchema) }, call) {
      const asked = readAsked(check, new Fields('check.'), parts);
      for await (const decision of decisions.follow(asked, call)) {
        yield create(CheckStreamResponseSchema, { check: answerOf(decision, parts) });
      }
    },
  };
}

/** @throws AppError INVALID_REQUEST */
function readAsked(request: CheckRequest, fields: Fields, { markets }: AccessParts): Asked {
  const { token, accountId, action, mic, quoteLevel } = request;
  // A condition of a later version, say: whoever asks about it must not hear what holds without it.
  if (request.$unknown !== undefined) throw new AppError('INVALID_REQUEST', UNKNOWN_ASKED);
  if (Action[action] === undefined) fields.refuse('action', 'is none of those that there are');
  if (mic !== '' && !isMic(mic)) fields.refuse('mic', MIC_RULE);
  const isLevel = Object.values(QuoteLevel).some((each) => each === (quoteLevel as number));
  if (!isLevel) fields.refuse('quote_level', 'is none of those that there are');
  else if (quoteLevel === QuoteLevel.ACCESS_FORBIDDEN) {
    fields.refuse('quote_level', 'is not one at which anything is seen');
  } else if (quoteLevel !== QuoteLevel.UNSPECIFIED && mic === '') {
    fields.refuse('quote_level', 'is of a market; name its mic');
  }
  const account = fields.filter('account_id', accountId);
  fields.check();
  return {
    token,
    accountId: account,
    isTrade: action === Action.TRADE,
    market: mic === '' ? undefined : markets.find(mic),
    quoteLevel: quoteLevel as number as QuoteLevel,
  };
}

function answerOf(decision: Decision, { clock, checkCacheMsMax }: AccessParts) {
  const { refusal, message, claims, grant, permission } = decision;
  const restMs = Math.min(checkCacheMsMax, changesAtMs(decision) - clock.now());
  return {
    allowed: refusal === '',
    refusal,
    message,
    readonly: grant?.readonly ?? false,
    ...(permission && {
      quoteLevel: permission.quoteLevel as number,
      delayMinutes: permission.delayMinutes,
    }),
    cacheFor: durationFromMs(Math.max(restMs, 0)),
    ...(claims && {
      clientId: claims.clientId,
      keyId: claims.keyId,
      sessionId: claims.sessionId,
      expiresAt: timestampFromMs(claims.expiresAt * 1000),
    }),
  };
}
