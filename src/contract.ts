/** The contract put together: its services, what they need, and what lets their callers in. */
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { administration } from './administration.ts';
import type { Config } from './config.ts';
import { type OpenCounters, openCounters } from './counters/open.ts';
import { Quotas } from './counters/quotas.ts';
import type { Clock, Random } from './domain/clock.ts';
import type { MasterKey } from './domain/master-key.ts';
import type { Markets } from './domain/mic.ts';
import { TokenReader } from './domain/token.ts';
import { AuthService } from './gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { UsageMetricsService } from './gen/grpc/tradeapi/v1/metrics/usage_metrics_service_pb.js';
import { OrdersService } from './gen/grpc/tradeapi/v1/orders/orders_service_pb.js';
import { AccessService } from './gen/propusk/access/v1/access_service_pb.js';
import {
  AccountRoutesService,
  AssetRoutesService,
  MarketDataRoutesService,
  PublicRoutesService,
} from './gen/propusk/routes/v1/routes_pb.js';
import { SimulationService } from './gen/propusk/simulation/v1/simulation_service_pb.js';
import { Admission } from './grants/admission.ts';
import { Grants } from './grants/grants.ts';
import { Operators } from './grants/operators.ts';
import { SharedTokens } from './grants/shared-tokens.ts';
import { openSigningKeys, readSigningKeys } from './ops/signing-keys.ts';
import { Access } from './pipeline/access.ts';
import { type Admit, admitter } from './pipeline/admit.ts';
import { Authenticator } from './pipeline/authenticate.ts';
import { type Registration, register, registerAllowed, registerNone } from './pipeline/call.ts';
import { parseDeadline } from './pipeline/deadline.ts';
import { parseFault } from './pipeline/faults.ts';
import { Limiter, limitedMethods, parseLimit } from './pipeline/limit.ts';
import type { Log } from './pipeline/log.ts';
import { methodNamed } from './pipeline/method-name.ts';
import type { Sources } from './pipeline/metrics.ts';
import { OperatorAccess } from './pipeline/operator-access.ts';
import { rulesService } from './rules/rules-service.ts';
import { accessService } from './service/access.ts';
import { authService } from './service/auth.ts';
import { ordersService } from './service/orders.ts';
import { simulationService } from './service/simulation.ts';
import { usageMetricsService } from './service/usage-metrics.ts';
import type { Store } from './store/store.ts';
import { PaperVenue } from './venue/paper.ts';

/** The public contract's services. */
export const CONTRACT: readonly DescService[] = [AuthService, OrdersService, UsageMetricsService];

/** The routes that proxies ask about beside the contract's own. */
const ROUTES: readonly DescService[] = [
  ...[PublicRoutesService, AccountRoutesService, MarketDataRoutesService, AssetRoutesService],
];

/** Settings that name methods, read; those that cannot be are sentences that say why. */
function readWith<T extends object>(
  parse: (text: string, services: typeof CONTRACT) => T | string,
): (texts: readonly string[], services?: typeof CONTRACT) => { good: T[]; flaws: string[] } {
  return (texts, services = CONTRACT) => {
    const read = texts.map((text) => parse(text, services));
    return {
      good: read.filter((one) => typeof one !== 'string'),
      flaws: read.filter((one) => typeof one === 'string'),
    };
  };
}

/** Reads `--fault`. */
export const readFaults = readWith(parseFault);
/** Reads `--authz-rules`: the text of that file, if there is one. */
export async function readRulesFile(
  text: string,
  file: string,
): Promise<{ service: DescService; flaws: readonly string[] }> {
  // With it comes a reader of YAML, which most starts do not need.
  const { readRules } = await import('./rules/rules-file.ts');
  const names = [...CONTRACT, ...ROUTES].flatMap(({ methods }) => methods.map(({ name }) => name));
  const { rules, flaws } = readRules(text, file, new Set(names));
  return { service: rulesService(rules), flaws };
}

const readLimitsOf = readWith(parseLimit);
/** Reads `--limit`, which may name rules as well. */
export function readLimits(texts: readonly string[], rules: readonly DescService[]) {
  return readLimitsOf(texts, [...CONTRACT, ...ROUTES, ...rules]);
}
/** Reads `--deadline-ms-max`. */
export const readDeadlines = readWith(parseDeadline);

/** Reads `--shed-first`. */
export const readShedFirst = readWith((text, services) => {
  const method = methodNamed(text, services);
  return typeof method === 'string' ? `"${text}" ${method}` : method;
});

/**
 * What is shed first, unless a setting says otherwise: who looks at figures or polls orders can wait;
 * who signs in has no session yet that could break, and costs a write; who has a stream renewed holds a
 * token that lives on for minutes, and who follows orders can read them once; an order that is not
 * placed is no risk yet. TokenDetails and CancelOrder come last: other services ask the one on behalf
 * of those at work, and the other takes a risk away.
 */
export const SHED_FIRST: readonly DescMethod[] = [
  UsageMetricsService.method.getUsageMetrics,
  OrdersService.method.getOrders,
  OrdersService.method.getOrder,
  AuthService.method.auth,
  OrdersService.method.subscribeTrades,
  OrdersService.method.subscribeOrders,
  AuthService.method.subscribeJwtRenewal,
  OrdersService.method.placeOrder,
];

/** The contract's services, and what lets their callers in. */
export interface Contract {
  readonly registrations: readonly Registration[];
  /** What drives the paper venue, where orders go to one: for operators and developers alone. */
  readonly simulation: readonly Registration[];
  /** What operators administer with. */
  readonly administration: readonly Registration[];
  /** What backends ask. */
  readonly access: readonly Registration[];
  /** What proxies may ask about: what the first list knows the others do not. */
  readonly rules: readonly (readonly Registration[])[];
  readonly admit: Admit;
  /** What metrics tell of it. */
  readonly sources: Pick<Sources, 'caches' | 'callers' | 'sharedCounters'>;
  /** Takes no more orders; resolves when those in hand are recorded, and counts no more calls. */
  close(): Promise<void>;
}

/** What the services work with. */
export interface ContractParts {
  readonly store: Store;
  readonly masterKey: MasterKey;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where the markets of MICs are. */
  readonly markets: Markets;
  /** What the rules file says of routes, as services. */
  readonly rules: readonly DescService[];
  /** Services beside the contract's own, for tests. */
  readonly extraServices: readonly Registration[];
  /** The program's own. */
  readonly version: string;
}

/** Puts the services together. */
export async function makeContract(config: Config, parts: ContractParts): Promise<Contract> {
  const { store, masterKey, clock, random, extraServices, markets, rules } = parts;
  const signingKeys = await openSigningKeys(store, masterKey, clock, random);
  const grants = await Grants.follow({ store, clock, grantsCachedMax: config.grantsCachedMax });
  const reader = new SharedTokens({
    reader: new TokenReader(signingKeys),
    readKeys: () => readSigningKeys(store, masterKey),
    clock,
  });
  const { tokensCachedMax, sessionTtlSeconds, addressCallsMax } = config;
  const admission = new Admission({ reader, grants, store, masterKey, clock, tokensCachedMax });
  const [signingKey] = signingKeys;
  const extra = extraServices.map(({ service }) => service);
  const isPaper = (config.orders ?? (config.mode === 'dev' ? 'paper' : 'off')) === 'paper';
  const { openOrdersMax, accountOpenOrdersMax } = config;
  const bounds = { openOrdersMax, accountOpenOrdersMax };
  const venue = isPaper ? await PaperVenue.open({ store, clock, random, ...bounds }) : undefined;
  // Also of what is not offered here: those who do may have proxies ask about it.
  const limited = limitedMethods(
    [...CONTRACT, ...extra, ...ROUTES, ...rules],
    readLimits(config.limits, rules).good,
  );
  const counters = await countersOf(config, parts);
  const keys = counters.of('key');
  const addresses = counters.of('address');
  const services = counters.of('service');
  const quotas = new Quotas({
    keys,
    addresses,
    services,
    methods: [...limited.values()],
    addressCallsMax,
    serviceCallsMax: config.serviceCallsMax,
  });
  const { version } = parts;
  const limitedNames = [...limited.values()].map(({ name }) => name);
  const known = { store, masterKey, clock, random, quotas, reader, grants };
  const access = { admission, grants, markets, clock };
  const { checkCacheMsMax } = config;
  const auth = { store, grants, admission, signingKey, sessionTtlSeconds, clock, random };
  return {
    registrations: [
      register(AuthService, authService(auth)),
      venue === undefined
        ? registerNone(OrdersService)
        : register(OrdersService, ordersService({ store, venue, random })),
      register(UsageMetricsService, usageMetricsService(quotas, clock)),
      ...extraServices,
    ],
    administration: administration({
      ...known,
      ...{ markets, version, mode: config.mode, limitedMethods: limitedNames },
    }),
    access: [register(AccessService, accessService({ ...access, checkCacheMsMax }))],
    rules: [rules, [...ROUTES, OrdersService]].map((each) => each.map(registerAllowed)),
    simulation: venue ? [register(SimulationService, simulationService(venue))] : [],
    close: async () => {
      await venue?.close();
      await counters.close();
    },
    admit: admitter({
      authenticator: new Authenticator(admission),
      access: new Access({ admission, grants, markets }),
      limiter: new Limiter(quotas, limited),
      operatorAccess: new OperatorAccess({
        operators: new Operators({ store, masterKey, clock }),
        failures: counters.of('operator'),
        failuresMax: config.operatorFailuresMax,
      }),
      // What drives the paper venue is no secret where there is nothing but trials.
      openServices: config.mode === 'dev' ? [SimulationService] : [],
    }),
    sources: {
      caches: { tokens: admission.lookups, grants: grants.lookups },
      callers: { key: () => keys.size, address: () => addresses.size },
      sharedCounters: counters.shared,
    },
  };
}

/** Opens the counters, and tells in the log whether the nodes share them. */
function countersOf(config: Config, { clock, random, log }: ContractParts): Promise<OpenCounters> {
  const { counters: url, countersMsMax: answerMsMax, callersMax } = config;
  return openCounters({
    ...{ url, answerMsMax, callersMax, clock, random },
    onChange: ({ isUp, why, nodes }) => {
      if (isUp) log.info({ nodes }, 'limits are shared with the other nodes');
      else log.warn({ why, nodes }, 'limits are not shared: this node keeps to its share of each');
    },
  });
}
