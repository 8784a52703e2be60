/** An API key as the API shows it, and what may be in it. */
import { create, type MessageShape } from '@bufbuild/protobuf';
import { checkSourceNetworks } from '../../domain/source-networks.ts';
import { KeySchema } from '../../gen/propusk/admin/v1/key_service_pb.js';
import { instantMessage } from './administration.ts';
import type { Fields } from './fields.ts';
import { keptOf, type Shape } from './resources.ts';

const ACCOUNTS_MAX = 1000;
/** The highest limit that can be set. */
const CALLS_MAX = 1e9;

type Key = MessageShape<typeof KeySchema>;

/** @param limitedMethods the methods that have a limit */
export function keyShape(limitedMethods: readonly string[]): Shape<'key', typeof KeySchema> {
  return {
    kind: 'key',
    schema: KeySchema,
    changeable: [
      ...['label', 'all_accounts', 'account_ids', 'readonly'],
      ...['calls_per_minute', 'source_networks', 'expires_at'],
    ],
    toMessage: (stored) => {
      const { id, clientId, label, allAccounts, readonly } = stored;
      const { expiresAtMs, revokedAtMs, previousSecretEndsAtMs } = stored;
      const key = create(KeySchema, {
        ...{ id, clientId, label, allAccounts, readonly },
        accountIds: [...stored.accountIds],
        callsPerMinute: { ...stored.callsMax },
        sourceNetworks: [...stored.sourceNetworks],
        ...keptOf(stored),
      });
      return Object.assign(key, {
        expiresAt: instantMessage(expiresAtMs),
        revokedAt: instantMessage(revokedAtMs),
        previousSecretEndsAt: instantMessage(previousSecretEndsAtMs),
      });
    },
    read: (key, base, fields) => ({
      ...base,
      clientId: fields.id('client_id', key.clientId),
      label: fields.text('label', key.label),
      allAccounts: key.allAccounts,
      accountIds: readAccounts(key, fields),
      readonly: key.readonly,
      callsMax: readCallsMax(key, limitedMethods, fields),
      sourceNetworks: readNetworks(key, fields),
      expiresAtMs: fields.instant('expires_at', key.expiresAt),
    }),
  };
}

function readAccounts({ allAccounts, accountIds }: Key, fields: Fields): string[] {
  if (allAccounts && accountIds.length > 0) {
    fields.refuse('account_ids', 'name some, and all_accounts is true');
  }
  if (accountIds.length > ACCOUNTS_MAX) fields.refuse('account_ids', `are over ${ACCOUNTS_MAX}`);
  const ids = accountIds.slice(0, ACCOUNTS_MAX);
  for (const [i, id] of ids.entries()) fields.id(`account_ids[${i}]`, id);
  return [...new Set(ids)].sort();
}

function readCallsMax({ callsPerMinute }: Key, limited: readonly string[], fields: Fields) {
  for (const [method, calls] of Object.entries(callsPerMinute)) {
    if (!limited.includes(method)) {
      fields.refuse('calls_per_minute', `may name ${limited.join(', ')} only`);
    } else if (calls < 1 || calls > CALLS_MAX) {
      fields.refuse(`calls_per_minute["${method}"]`, `is not from 1 to ${CALLS_MAX}`);
    }
  }
  return callsPerMinute;
}

function readNetworks({ sourceNetworks }: Key, fields: Fields): readonly string[] {
  const read = checkSourceNetworks(sourceNetworks, 'source_networks');
  if ('networks' in read) return read.networks;
  for (const { field, description } of read.violations) fields.refuse(field, description);
  return [];
}
