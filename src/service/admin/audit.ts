/** propusk.admin.v1.AuditService: who did what, when, from where. */
import { create, type JsonObject } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { AuditEntry, Numbered } from '../../domain/model.ts';
import {
  AuditEntrySchema,
  type AuditService,
  ListAuditEntriesResponseSchema,
} from '../../gen/propusk/admin/v1/audit_service_pb.js';
import type { ServiceImpl } from '../../pipeline/call.ts';
import type { Store } from '../../store/store.ts';
import { Fields } from './fields.ts';
import { pageOf } from './page.ts';

/** Characters of a filter at most: more than an actor or a target has. */
const FILTER_CHARS_MAX = 100;

/** Makes the service. */
export function auditService(store: Store): ServiceImpl<typeof AuditService> {
  return {
    async listAuditEntries(request) {
      const { actor, action, target, oldestFirst } = request;
      const fields = new Fields();
      const text = { actor, action, target };
      for (const [name, value] of Object.entries(text)) {
        if (value.length > FILTER_CHARS_MAX) fields.refuse(name, 'is too long');
      }
      const sinceMs = fields.instant('since', request.since);
      const untilMs = fields.instant('until', request.until);
      const filters = ['audit', actor, action, target, sinceMs, untilMs, oldestFirst];
      const page = pageOf(request, filters, fields);
      fields.check();
      const { entries, cursor } = await store.findAudit({
        ...Object.fromEntries(Object.entries(text).filter(([, value]) => value !== '')),
        ...(sinceMs !== null && { sinceMs }),
        ...(untilMs !== null && { untilMs }),
        newestFirst: !oldestFirst,
        ...(page.after !== undefined && { cursor: Number(page.after) }),
        limit: page.limit,
      });
      return create(ListAuditEntriesResponseSchema, {
        entries: entries.map(messageOf),
        nextPageToken: cursor === undefined ? '' : page.tokenOf(cursor),
      });
    },
  };
}

function messageOf(entry: Numbered<AuditEntry>) {
  const { sequence, atMs, actor, action, target, remoteAddress, detail } = entry;
  return create(AuditEntrySchema, {
    ...{ actor, action, target, remoteAddress },
    sequence: BigInt(sequence),
    at: timestampFromMs(atMs),
    detail: detail as JsonObject,
  });
}
