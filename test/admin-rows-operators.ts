/** Rows of the methods for operators, the audit trail and the status. */
import type { DescMethodUnary } from '@bufbuild/protobuf';
import { AuditService } from '../src/gen/propusk/admin/v1/audit_service_pb.js';
import { OperatorService } from '../src/gen/propusk/admin/v1/operator_service_pb.js';
import { StatusService } from '../src/gen/propusk/admin/v1/status_service_pb.js';
import { Role } from '../src/gen/propusk/contract/v1/contract_pb.js';
import {
  LONG,
  made,
  masked,
  noneWithId,
  noPage,
  otherVersion,
  type Row,
  recorded,
} from './admin-rows.ts';

const operators = OperatorService.method;

export const OPERATOR_ROWS: readonly (readonly [DescMethodUnary, Row])[] = [
  [
    AuditService.method.listAuditEntries,
    {
      role: 'viewer',
      good: () => ({ pageSize: 5 }),
      wrong: [...noPage, [() => ({ actor: LONG }), 'actor']],
    },
  ],
  [
    operators.createOperator,
    {
      role: 'owner',
      good: () => ({ operator: { name: 'O', role: Role.VIEWER } }),
      wrong: [
        [() => ({ operator: { name: 'O' } }), 'operator.role'],
        [
          () => ({ operator: { role: Role.VIEWER, expiresAt: { seconds: 9_000_000_000n } } }),
          'operator.expires_at',
        ],
      ],
      audit: made('operator'),
    },
  ],
  [
    operators.getOperator,
    { role: 'owner', good: ({ operator }) => ({ id: operator }), wrong: noneWithId },
  ],
  [operators.listOperators, { role: 'owner', good: () => ({}), wrong: noPage }],
  [
    operators.updateOperator,
    {
      role: 'owner',
      good: ({ operator }) => ({
        operator: { id: operator, role: Role.OPERATOR },
        updateMask: { paths: ['role'] },
      }),
      wrong: masked('operator', ({ operator }) => operator),
      audit: recorded('operator.update', ({ operator }) => operator),
    },
  ],
  [
    operators.deleteOperator,
    {
      role: 'owner',
      good: ({ operator }) => ({ id: operator }),
      wrong: [...noneWithId, otherVersion(({ operator }) => operator)],
      audit: recorded('operator.delete', ({ operator }) => operator),
    },
  ],
  [
    operators.rotateOperatorToken,
    {
      role: 'owner',
      good: ({ operator }) => ({ id: operator }),
      wrong: [
        ...noneWithId,
        otherVersion(({ operator }) => operator),
        [
          ({ operator }) => ({ id: operator, expiresAt: { seconds: 9_000_000_000n } }),
          'expires_at',
        ],
      ],
      audit: recorded('operator.rotate', ({ operator }) => operator),
    },
  ],
  [
    operators.revokeOperator,
    {
      role: 'owner',
      good: ({ operator }) => ({ id: operator }),
      wrong: [...noneWithId, otherVersion(({ operator }) => operator)],
      audit: recorded('operator.revoke', ({ operator }) => operator),
    },
  ],
  [StatusService.method.getStatus, { role: 'service', good: () => ({}), wrong: [] }],
];
