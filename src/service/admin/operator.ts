/** propusk.admin.v1.OperatorService: who may use the administration. */
import { create } from '@bufbuild/protobuf';
import { EmptySchema, type Timestamp } from '@bufbuild/protobuf/wkt';
import { AppError } from '../../domain/errors.ts';
import type { Operator, OperatorRole } from '../../domain/model.ts';
import { OPERATOR_LIFE_MS, OPERATOR_LIFE_MS_MAX } from '../../domain/operator.ts';
import { formatSecret } from '../../domain/secret.ts';
import { Secret } from '../../gen/propusk/admin/v1/key_service_pb.js';
import {
  CreateOperatorRequestSchema,
  CreateOperatorResponseSchema,
  ListOperatorsResponseSchema,
  OperatorSchema,
  type OperatorService,
  RotateOperatorTokenRequestSchema,
  RotateOperatorTokenResponseSchema,
} from '../../gen/propusk/admin/v1/operator_service_pb.js';
import { Role } from '../../gen/propusk/contract/v1/contract_pb.js';
import type { Call, ServiceImpl } from '../../pipeline/call.ts';
import type { Stored } from '../../store/store.ts';
import { type AdminParts, instantMessage, operatorOf } from './administration.ts';
import { Fields } from './fields.ts';
import { keptOf, ResourceOperations, type Shape } from './resources.ts';

const TOKEN_BYTES = 20;

const ROLES: Readonly<Record<OperatorRole, Role>> = {
  service: Role.SERVICE,
  viewer: Role.VIEWER,
  operator: Role.OPERATOR,
  owner: Role.OWNER,
};

/** An operator as the API shows it. */
export function operatorMessage(stored: Stored<Operator>) {
  const { id, name, role, expiresAtMs, revokedAtMs } = stored;
  const operator = create(OperatorSchema, { id, name, role: ROLES[role], ...keptOf(stored) });
  return Object.assign(operator, {
    expiresAt: instantMessage(expiresAtMs),
    revokedAt: instantMessage(revokedAtMs),
  });
}

function readRole(role: Role, fields: Fields): OperatorRole {
  const found = (Object.keys(ROLES) as OperatorRole[]).find((name) => ROLES[name] === role);
  if (found === undefined) fields.refuse('role', 'is none of those that there are');
  return found ?? 'viewer';
}

function readEnd(expiresAt: Timestamp | undefined, nowMs: number, fields: Fields): number {
  const endsAtMs = fields.instant('expires_at', expiresAt) ?? nowMs + OPERATOR_LIFE_MS;
  if (endsAtMs <= nowMs) fields.refuse('expires_at', 'is over already');
  if (endsAtMs > nowMs + OPERATOR_LIFE_MS_MAX)
    fields.refuse('expires_at', 'is more than a year from now');
  return endsAtMs;
}

/** An end that is left as it is may be one that could not be set now. */
function endOf(
  expiresAt: Timestamp | undefined,
  before: number | null,
  nowMs: number,
  fields: Fields,
): number | null {
  const given = fields.instant('expires_at', expiresAt) ?? null;
  return given === before ? before : readEnd(expiresAt, nowMs, fields);
}

function shapeAt(now: () => number): Shape<'operator', typeof OperatorSchema> {
  return {
    kind: 'operator',
    schema: OperatorSchema,
    changeable: ['name', 'role', 'expires_at'],
    toMessage: operatorMessage,
    read: ({ name, role, expiresAt }, base, fields) => ({
      ...base,
      name: fields.text('name', name),
      role: readRole(role, fields),
      expiresAtMs: endOf(expiresAt, base.expiresAtMs, now(), fields),
    }),
  };
}

/** Makes the service. */
export function operatorService(parts: AdminParts): ServiceImpl<typeof OperatorService> {
  const { masterKey, random, clock } = parts;
  const operators = new ResourceOperations(
    shapeAt(() => clock.now()),
    parts,
  );
  const newToken = () => formatSecret(random(TOKEN_BYTES), 'pop_');
  return {
    async createOperator(request, call) {
      const token = newToken();
      const tokenMac = masterKey.macOfSecret(token);
      const base = {
        name: '',
        role: 'viewer',
        tokenMac,
        expiresAtMs: 0,
        revokedAtMs: null,
      } as const;
      const asked = { schema: CreateOperatorRequestSchema, request, showsSecret: true };
      const { stored, isRepeated } = await operators.create(asked, request.operator, base, call);
      const shown = tokenOnce(token, isRepeated);
      return create(CreateOperatorResponseSchema, { operator: operatorMessage(stored), ...shown });
    },
    async getOperator({ id }) {
      return operatorMessage(await operators.get(id));
    },
    async listOperators(request) {
      const { items, nextPageToken } = await operators.list(request);
      return create(ListOperatorsResponseSchema, { operators: items, nextPageToken });
    },
    updateOperator({ operator, updateMask }, call) {
      return operators.update(operator, updateMask, call, (before, after) => {
        if (after.role !== before.role) checkOther(before.id, call);
      });
    },
    async deleteOperator({ id, version }, call) {
      checkOther(id, call);
      await operators.remove(id, version, call);
      return create(EmptySchema);
    },
    async rotateOperatorToken(request, call) {
      const { id, version, expiresAt } = request;
      const asked = { schema: RotateOperatorTokenRequestSchema, request, showsSecret: true };
      const token = newToken();
      const tokenMac = masterKey.macOfSecret(token);
      const rotate = (before: Operator): Operator => {
        if (before.revokedAtMs !== null) {
          throw new AppError('OPERATOR_REVOKED', 'the operator is revoked; make another one');
        }
        const fields = new Fields();
        const expiresAtMs = readEnd(expiresAt, clock.now(), fields);
        fields.check();
        return { ...before, tokenMac, expiresAtMs };
      };
      const done = await operators.amend(id, version, 'rotate', call, rotate, asked);
      const shown = tokenOnce(token, done.isRepeated);
      const operator = operatorMessage(done.stored);
      return create(RotateOperatorTokenResponseSchema, { operator, ...shown });
    },
    async revokeOperator({ id, version }, call) {
      checkOther(id, call);
      const { stored } = await operators.amend(id, version, 'revoke', call, (before) =>
        before.revokedAtMs === null ? { ...before, revokedAtMs: clock.now() } : undefined,
      );
      return operatorMessage(stored);
    },
  };
}

/** What an answer holds of a token: it is shown once. */
function tokenOnce(token: string, isRepeated: boolean) {
  return isRepeated
    ? { token: '', secretStatus: Secret.ALREADY_SHOWN }
    : { token, secretStatus: Secret.SHOWN };
}

/** Who takes away its own rights might be the last who has them. */
function checkOther(id: string, call: Call): void {
  if (operatorOf(call).id !== id) return;
  throw new AppError('OPERATOR_IS_CALLER', 'ask another owner to do this to you');
}
