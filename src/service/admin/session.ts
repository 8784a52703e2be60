/** propusk.admin.v1.SessionService: the tokens that were issued. */
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { AppError } from '../../domain/errors.ts';
import type { AuditEntry, Session } from '../../domain/model.ts';
import {
  ListSessionsResponseSchema,
  RevokeSessionsResponseSchema,
  SessionSchema,
  type SessionService,
} from '../../gen/propusk/admin/v1/session_service_pb.js';
import type { Call, ServiceImpl } from '../../pipeline/call.ts';
import type { Store } from '../../store/store.ts';
import { type AdminParts, changeBy } from './administration.ts';
import { Fields } from './fields.ts';
import { cut, pageOf } from './page.ts';

/** Makes the service. */
export function sessionService(parts: AdminParts): ServiceImpl<typeof SessionService> {
  const { store, clock } = parts;
  const revocation = (call: Call, target: string): AuditEntry => {
    const { detail = {}, ...by } = changeBy(call, clock);
    return { ...by, detail, action: 'session.revoke', target };
  };
  return {
    async getSession({ id }) {
      return messageOf(await sessionOf(store, id));
    },
    async listSessions(request) {
      const fields = new Fields();
      const owner = ownerOf(request, fields);
      const page = pageOf(request, ['session', request.clientId, request.keyId], fields);
      fields.check();
      const found = await store.sessions({
        ...owner,
        activeAtMs: clock.now(),
        ...(page.after !== undefined && { afterId: String(page.after) }),
        limit: page.limit + 1,
      });
      const { items, nextPageToken } = cut(found, page, ({ id }) => id);
      return create(ListSessionsResponseSchema, { sessions: items.map(messageOf), nextPageToken });
    },
    async revokeSession({ id }, call) {
      await sessionOf(store, id);
      await store.revokeSession(id, clock.now(), revocation(call, `session:${id}`));
      return messageOf(await sessionOf(store, id));
    },
    async revokeSessions(request, call) {
      const fields = new Fields();
      const owner = ownerOf(request, fields);
      fields.check();
      const [kind, id] =
        'keyId' in owner ? (['key', owner.keyId] as const) : (['client', owner.clientId] as const);
      if ((await store.get(kind, id)) === undefined) throw notFound(kind);
      const audit = revocation(call, `${kind}:${id}`);
      const revoked = await store.revokeSessions(owner, clock.now(), audit);
      return create(RevokeSessionsResponseSchema, { revoked });
    },
  };
}

async function sessionOf(store: Store, id: string): Promise<Session> {
  const session = await store.session(id);
  if (session === undefined) throw notFound('session');
  return session;
}

function notFound(kind: string): AppError {
  return new AppError('RESOURCE_NOT_FOUND', `there is no ${kind} with this id`);
}

/** Whose sessions are meant: a client's or a key's, not both. */
function ownerOf(
  { clientId, keyId }: { readonly clientId: string; readonly keyId: string },
  fields: Fields,
): { readonly keyId: string } | { readonly clientId: string } {
  if ((clientId === '') === (keyId === '')) {
    fields.refuse('client_id', 'or key_id is needed, and not both');
  } else {
    fields.filter('client_id', clientId);
    fields.filter('key_id', keyId);
  }
  return keyId === '' ? { clientId } : { keyId };
}

function messageOf(session: Session) {
  const { id, keyId, clientId, sourceAppId, remoteAddress } = session;
  return create(SessionSchema, {
    ...{ id, keyId, clientId, sourceAppId, remoteAddress },
    issuedAt: timestampFromMs(session.issuedAtMs),
    expiresAt: timestampFromMs(session.expiresAtMs),
    ...(session.revokedAtMs !== null && { revokedAt: timestampFromMs(session.revokedAtMs) }),
  });
}
