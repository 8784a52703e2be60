/** Market data permissions as the contract writes them. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { Permission, QuoteLevel } from '../domain/permission.ts';
import { permissionFlaws } from '../domain/permission-rules.ts';
import {
  type MDPermission,
  MDPermissionSchema,
} from '../gen/grpc/tradeapi/v1/auth/auth_service_pb.js';

/** A permission as the contract writes it. */
export function permissionMessage(
  permission: Permission,
): MessageInitShape<typeof MDPermissionSchema> {
  const { quoteLevel, delayMinutes, conditionKind, conditionValue } = permission;
  const condition =
    conditionKind === 'worldwide'
      ? { case: conditionKind, value: true }
      : { case: conditionKind, value: conditionValue };
  return { quoteLevel, delayMinutes, condition };
}

const messages = new WeakMap<readonly Permission[], readonly MDPermission[]>();

/**
 * Permissions as the contract writes them, frozen: a list that is asked for again has the messages that
 * it had before, which are encoded once.
 */
export function permissionMessages(permissions: readonly Permission[]): MDPermission[] {
  let made = messages.get(permissions);
  if (made === undefined) {
    made = Object.freeze(permissions.map((each) => frozen(permissionMessage(each))));
    messages.set(permissions, made);
  }
  // Messages have no readonly lists.
  return made as MDPermission[];
}

function frozen(init: MessageInitShape<typeof MDPermissionSchema>): MDPermission {
  const message = create(MDPermissionSchema, init);
  Object.freeze(message.condition);
  return Object.freeze(message);
}

/**
 * Reads a permission of the contract.
 * @param refuse is told what is wrong with which of its fields
 */
export function readPermission(
  { quoteLevel, delayMinutes, condition }: MDPermission,
  refuse: (field: string, description: string) => void,
): Permission {
  const isText = typeof condition.value === 'string';
  const permission: Permission = {
    // A number that may be none of the levels.
    quoteLevel: quoteLevel as number as QuoteLevel,
    delayMinutes,
    conditionKind: condition.case ?? 'worldwide',
    conditionValue: isText ? condition.value : '',
  };
  if (condition.case === undefined) {
    refuse('mic', 'is missing; a permission has a mic, a country, a continent, or is worldwide');
  } else if (condition.value === false) {
    refuse('worldwide', 'is false; leave it out');
  }
  for (const { field, description } of permissionFlaws(permission)) refuse(field, description);
  return permission;
}
