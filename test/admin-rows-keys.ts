/** Rows of the methods for keys, sessions, usage and explanations. */
import type { DescMethodUnary } from '@bufbuild/protobuf';
import { ExplainService } from '../src/gen/propusk/admin/v1/explain_service_pb.js';
import { KeyService } from '../src/gen/propusk/admin/v1/key_service_pb.js';
import { SessionService } from '../src/gen/propusk/admin/v1/session_service_pb.js';
import { UsageService } from '../src/gen/propusk/admin/v1/usage_service_pb.js';
import {
  LONG,
  made,
  masked,
  NOT_FOUND,
  noneWithId,
  noPage,
  otherVersion,
  type Row,
  recorded,
} from './admin-rows.ts';
import { unique } from './start.ts';

const keys = KeyService.method;
const sessions = SessionService.method;

export const KEY_ROWS: readonly (readonly [DescMethodUnary, Row])[] = [
  [
    keys.createKey,
    {
      role: 'operator',
      good: ({ client, account }) => ({ key: { clientId: client, accountIds: [account] } }),
      wrong: [
        [() => ({ key: {} }), 'key.client_id'],
        [
          ({ client }) => ({ key: { clientId: client, sourceNetworks: ['10.0.0.1/8'] } }),
          'key.source_networks[0]',
        ],
        [
          ({ client }) => ({ key: { clientId: client, callsPerMinute: { Nothing: 1 } } }),
          'key.calls_per_minute',
        ],
        [
          ({ client }) => ({ key: { clientId: client, callsPerMinute: { Auth: 0 } } }),
          'key.calls_per_minute["Auth"]',
        ],
        [
          ({ client, account }) => ({
            key: { clientId: client, allAccounts: true, accountIds: [account] },
          }),
          'key.account_ids',
        ],
        [
          ({ loneClient, account }) => ({ key: { clientId: loneClient, accountIds: [account] } }),
          'INVALID_REQUEST',
        ],
      ],
      audit: made('key'),
    },
  ],
  [
    keys.importKey,
    {
      role: 'operator',
      good: ({ client }) => ({
        key: { clientId: client },
        secret: `7fQ-${unique()}-${unique()}-x9`,
      }),
      wrong: [
        [({ client }) => ({ key: { clientId: client }, secret: 'short' }), 'secret'],
        [
          ({ client }) => ({ key: { clientId: client }, secret: `YOUR_API_SECRET_${LONG}` }),
          'secret',
        ],
        [() => ({ key: {}, secret: `7fQ-${unique()}-${unique()}-x9` }), 'key.client_id'],
      ],
      audit: made('key'),
    },
  ],
  [keys.getKey, { role: 'viewer', good: ({ key }) => ({ id: key }), wrong: noneWithId }],
  [
    keys.listKeys,
    {
      role: 'viewer',
      good: ({ client }) => ({ clientId: client }),
      wrong: [...noPage, [() => ({ clientId: 'a b' }), 'client_id']],
    },
  ],
  [
    keys.updateKey,
    {
      role: 'operator',
      good: ({ key }) => ({
        key: { id: key, readonly: true, label: 'L' },
        updateMask: { paths: ['readonly', 'label'] },
      }),
      wrong: [
        ...masked('key', ({ key }) => key),
        [
          ({ key }) => ({ key: { id: key }, updateMask: { paths: ['calls_per_minute.auth'] } }),
          'update_mask',
        ],
      ],
      audit: recorded('key.update', ({ key }) => key),
    },
  ],
  [
    keys.deleteKey,
    {
      role: 'operator',
      good: ({ key }) => ({ id: key }),
      wrong: [...noneWithId, otherVersion(({ key }) => key)],
      audit: recorded('key.delete', ({ key }) => key),
    },
  ],
  [
    keys.rotateKey,
    {
      role: 'operator',
      good: ({ key }) => ({ id: key, overlap: { seconds: 60n } }),
      wrong: [
        ...noneWithId,
        otherVersion(({ key }) => key),
        [({ key }) => ({ id: key, overlap: { seconds: 31n * 86_400n } }), 'overlap'],
        [({ key }) => ({ id: key, overlap: { seconds: -1n } }), 'overlap'],
      ],
      audit: recorded('key.rotate', ({ key }) => key),
    },
  ],
  [
    keys.revokeKey,
    {
      role: 'operator',
      good: ({ key }) => ({ id: key }),
      wrong: [...noneWithId, otherVersion(({ key }) => key)],
      audit: recorded('key.revoke', ({ key }) => key),
    },
  ],
  [
    sessions.getSession,
    { role: 'viewer', good: ({ session }) => ({ id: session }), wrong: noneWithId },
  ],
  [
    sessions.listSessions,
    {
      role: 'viewer',
      good: ({ client }) => ({ clientId: client }),
      wrong: [
        [() => ({}), 'client_id'],
        [({ client, key }) => ({ clientId: client, keyId: key }), 'client_id'],
        [({ key }) => ({ keyId: key, pageSize: -1 }), 'page_size'],
      ],
    },
  ],
  [
    sessions.revokeSession,
    {
      role: 'operator',
      good: ({ session }) => ({ id: session }),
      wrong: noneWithId,
      audit: recorded('session.revoke', ({ session }) => session),
    },
  ],
  [
    sessions.revokeSessions,
    {
      role: 'operator',
      good: ({ key }) => ({ keyId: key }),
      wrong: [
        [() => ({}), 'client_id'],
        [() => ({ clientId: 'nobody' }), NOT_FOUND],
        [() => ({ keyId: 'nobody' }), NOT_FOUND],
      ],
      audit: ({ key }) => ['session.revoke', `key:${key}`],
    },
  ],
  [
    UsageService.method.getUsage,
    {
      role: 'viewer',
      good: ({ key }) => ({ keyId: key }),
      wrong: [[() => ({ keyId: 'x' }), NOT_FOUND]],
    },
  ],
  [UsageService.method.listUsage, { role: 'viewer', good: () => ({}), wrong: noPage }],
  [
    ExplainService.method.explain,
    {
      role: 'viewer',
      good: ({ key }) => ({ subject: { case: 'keyId', value: key }, mic: 'MISX' }),
      wrong: [
        [() => ({ mic: 'MISX' }), 'key_id'],
        [({ key }) => ({ subject: { case: 'keyId', value: key }, mic: 'moscow' }), 'mic'],
        [() => ({ subject: { case: 'token', value: 'x.y.z' }, mic: 'MISX' }), 'token'],
        [() => ({ subject: { case: 'keyId', value: 'nobody' }, mic: 'MISX' }), NOT_FOUND],
      ],
    },
  ],
];
