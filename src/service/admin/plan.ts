/** propusk.admin.v1.PlanService: named sets of market data permissions. */
import { create } from '@bufbuild/protobuf';
import { EmptySchema } from '@bufbuild/protobuf/wkt';
import {
  CreatePlanRequestSchema,
  ListPlansResponseSchema,
  PlanSchema,
  type PlanService,
} from '../../gen/propusk/admin/v1/plan_service_pb.js';
import type { ServiceImpl } from '../../pipeline/call.ts';
import { permissionMessage, readPermission } from '../market-permissions.ts';
import type { AdminParts } from './administration.ts';
import { keptOf, ResourceOperations, type Shape } from './resources.ts';

const PERMISSIONS_MAX = 1000;

const SHAPE: Shape<'plan', typeof PlanSchema> = {
  kind: 'plan',
  schema: PlanSchema,
  changeable: ['name', 'permissions'],
  toMessage: (stored) => {
    const { id, name } = stored;
    const permissions = stored.permissions.map(permissionMessage);
    return create(PlanSchema, { id, name, permissions, ...keptOf(stored) });
  },
  read: ({ name, permissions }, base, fields) => {
    if (permissions.length > PERMISSIONS_MAX) {
      fields.refuse('permissions', `are more than ${PERMISSIONS_MAX}`);
    }
    const read = permissions
      .slice(0, PERMISSIONS_MAX)
      .map((permission, i) =>
        readPermission(permission, (name, flaw) =>
          fields.refuse(`permissions[${i}].${name}`, flaw),
        ),
      );
    return { ...base, name: fields.text('name', name), permissions: read };
  },
};

/** Makes the service. */
export function planService(parts: AdminParts): ServiceImpl<typeof PlanService> {
  const plans = new ResourceOperations(SHAPE, parts);
  return {
    async createPlan(request, call) {
      const asked = { schema: CreatePlanRequestSchema, request };
      const base = { name: '', permissions: [] };
      const { stored } = await plans.create(asked, request.plan, base, call);
      return SHAPE.toMessage(stored);
    },
    async getPlan({ id }) {
      return SHAPE.toMessage(await plans.get(id));
    },
    async listPlans(request) {
      const { items, nextPageToken } = await plans.list(request);
      return create(ListPlansResponseSchema, { plans: items, nextPageToken });
    },
    updatePlan({ plan, updateMask }, call) {
      return plans.update(plan, updateMask, call);
    },
    async deletePlan({ id, version }, call) {
      await plans.remove(id, version, call);
      return create(EmptySchema);
    },
  };
}
