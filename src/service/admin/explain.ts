/** propusk.admin.v1.ExplainService: why a key may see what it sees. */
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Clock } from '../../domain/clock.ts';
import { AppError } from '../../domain/errors.ts';
import { type Explanation, explain, type Finding, type Verdict } from '../../domain/explain.ts';
import { isMic, type Markets } from '../../domain/mic.ts';
import {
  type ExplainRequest,
  ExplainResponseSchema,
  type ExplainService,
  ExplainResponse_Outcome as Outcome,
  Finding_Verdict as VerdictName,
} from '../../gen/propusk/admin/v1/explain_service_pb.js';
import type { Grants } from '../../grants/grants.ts';
import type { Tokens } from '../../grants/shared-tokens.ts';
import type { ServiceImpl } from '../../pipeline/call.ts';
import type { Store } from '../../store/store.ts';
import { permissionMessage } from '../market-permissions.ts';
import { Fields } from './fields.ts';

export interface ExplainParts {
  readonly store: Store;
  readonly clock: Pick<Clock, 'now'>;
  readonly reader: Tokens;
  readonly grants: Grants;
  readonly markets: Markets;
}

/** Whose permissions are asked for. */
interface Subject {
  readonly keyId: string;
  /** Why the token does not work, though the key may. */
  readonly refusal: 'TOKEN_EXPIRED' | 'SESSION_REVOKED' | undefined;
}

const OUTCOMES: Readonly<Record<Explanation['outcome'], Outcome>> = {
  granted: Outcome.GRANTED,
  forbidden: Outcome.FORBIDDEN,
  nothing: Outcome.NOTHING,
};

const VERDICTS: Readonly<Record<Verdict, VerdictName>> = {
  decides: VerdictName.DECIDES,
  'less-specific': VerdictName.LESS_SPECIFIC,
  forbidden: VerdictName.FORBIDDEN,
  covered: VerdictName.COVERED,
  'grants-nothing': VerdictName.GRANTS_NOTHING,
  'not-started': VerdictName.NOT_STARTED,
  ended: VerdictName.ENDED,
};

/** What is said instead where the token itself is at fault. */
const ENDED = {
  TOKEN_EXPIRED: 'The token has expired, and shows nothing whatever its key may see.',
  SESSION_REVOKED: 'The session was revoked, and its token shows nothing whatever its key may see.',
};

/** Makes the service. */
export function explainService(parts: ExplainParts): ServiceImpl<typeof ExplainService> {
  const { store, clock, markets } = parts;
  return {
    async explain(request) {
      const { keyId, refusal } = await subjectOf(request, parts);
      const holdings = await store.holdings(keyId);
      if (holdings === undefined) {
        throw new AppError('RESOURCE_NOT_FOUND', 'there is no key with this id');
      }
      const found = explain(holdings, markets.find(request.mic), clock.now());
      const seen = refusal === undefined ? found : { outcome: 'nothing' as const, decision: [] };
      const { changesAtMs } = found;
      return create(ExplainResponseSchema, {
        keyId,
        clientId: holdings.key.clientId,
        refusal: refusal ?? found.refusal ?? '',
        ...found.market,
        outcome: OUTCOMES[seen.outcome],
        decision: seen.decision.map(permissionMessage),
        why: refusal === undefined ? found.why : ENDED[refusal],
        findings: found.findings.map(findingMessage),
        ...(Number.isFinite(changesAtMs) && { changesAt: timestampFromMs(changesAtMs) }),
      });
    },
  };
}

function findingMessage({ permission, planId, subscriptionId, verdict, why }: Finding) {
  return {
    ...{ planId, subscriptionId, why },
    permission: permissionMessage(permission),
    verdict: VERDICTS[verdict],
  };
}

/** @throws AppError INVALID_REQUEST */
async function subjectOf({ subject, mic }: ExplainRequest, parts: ExplainParts): Promise<Subject> {
  const { reader, grants, clock } = parts;
  const fields = new Fields();
  if (!isMic(mic)) fields.refuse('mic', 'is not a MIC, such as MISX or #RBRD');
  const claims = subject.case === 'token' ? await reader.read(subject.value) : undefined;
  if (subject.case === undefined) fields.refuse('key_id', 'or token is needed');
  if (typeof claims === 'string') fields.refuse('token', 'is no token of this server');
  fields.check();
  if (typeof claims !== 'object') {
    return { keyId: String(subject.value), refusal: undefined };
  }
  await grants.of(claims.keyId, claims);
  const isOver = claims.expiresAt * 1000 <= clock.now();
  const isRevoked = grants.isSessionRevoked(claims.sessionId);
  const refusal = isOver ? 'TOKEN_EXPIRED' : isRevoked ? 'SESSION_REVOKED' : undefined;
  return { keyId: claims.keyId, refusal };
}
