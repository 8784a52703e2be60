/** The administration put together: the services that operators use. */
import type { DescService } from '@bufbuild/protobuf';
import type { Quotas } from './counters/quotas.ts';
import type { Clock, Random } from './domain/clock.ts';
import type { MasterKey } from './domain/master-key.ts';
import type { Markets } from './domain/mic.ts';
import { AccountService } from './gen/propusk/admin/v1/account_service_pb.js';
import { AuditService } from './gen/propusk/admin/v1/audit_service_pb.js';
import { ClientService } from './gen/propusk/admin/v1/client_service_pb.js';
import { ExplainService } from './gen/propusk/admin/v1/explain_service_pb.js';
import { KeyService } from './gen/propusk/admin/v1/key_service_pb.js';
import { OperatorService } from './gen/propusk/admin/v1/operator_service_pb.js';
import { PlanService } from './gen/propusk/admin/v1/plan_service_pb.js';
import { SessionService } from './gen/propusk/admin/v1/session_service_pb.js';
import { StatusService } from './gen/propusk/admin/v1/status_service_pb.js';
import { SubscriptionService } from './gen/propusk/admin/v1/subscription_service_pb.js';
import { UsageService } from './gen/propusk/admin/v1/usage_service_pb.js';
import type { Grants } from './grants/grants.ts';
import type { Tokens } from './grants/shared-tokens.ts';
import { type Registration, register } from './pipeline/call.ts';
import { accountService } from './service/admin/account.ts';
import { auditService } from './service/admin/audit.ts';
import { clientService } from './service/admin/client.ts';
import { explainService } from './service/admin/explain.ts';
import { keyService } from './service/admin/key.ts';
import { operatorService } from './service/admin/operator.ts';
import { planService } from './service/admin/plan.ts';
import { sessionService } from './service/admin/session.ts';
import { statusService } from './service/admin/status.ts';
import { subscriptionService } from './service/admin/subscription.ts';
import { usageService } from './service/admin/usage.ts';
import type { Store } from './store/store.ts';

/** The services of the administration, in the order in which documents tell of them. */
export const ADMINISTRATION: readonly DescService[] = [
  ...[ClientService, AccountService, PlanService, SubscriptionService, KeyService],
  ...[SessionService, UsageService, ExplainService, AuditService, OperatorService, StatusService],
];

export interface AdministrationParts {
  readonly store: Store;
  readonly masterKey: MasterKey;
  readonly clock: Clock;
  readonly random: Random;
  readonly quotas: Quotas;
  /** The methods that have a limit. */
  readonly limitedMethods: readonly string[];
  readonly reader: Tokens;
  readonly grants: Grants;
  readonly markets: Markets;
  readonly version: string;
  readonly mode: 'dev' | 'serve';
}

/** Makes the services of ADMINISTRATION. */
export function administration(parts: AdministrationParts): Registration[] {
  const takesWeakSecrets = parts.mode === 'dev';
  return [
    register(ClientService, clientService(parts)),
    register(AccountService, accountService(parts)),
    register(PlanService, planService(parts)),
    register(SubscriptionService, subscriptionService(parts)),
    register(KeyService, keyService({ ...parts, takesWeakSecrets })),
    register(SessionService, sessionService(parts)),
    register(UsageService, usageService(parts)),
    register(ExplainService, explainService(parts)),
    register(AuditService, auditService(parts.store)),
    register(OperatorService, operatorService(parts)),
    register(StatusService, statusService(parts)),
  ];
}
