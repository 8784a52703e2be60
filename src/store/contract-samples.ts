/** Records for tests of the store; short ids say what belongs to what. */
import { createSecretKey } from 'node:crypto';
import type {
  Account,
  ApiKey,
  AuditEntry,
  Client,
  Operator,
  Plan,
  Session,
  Subscription,
} from '../domain/model.ts';
import {
  type Order,
  type OrderState,
  OrderStatus,
  OrderType,
  Side,
  TimeInForce,
  type Trade,
} from '../domain/order.ts';
import type { Permission } from '../domain/permission.ts';
import { keyOf } from '../domain/test-key.ts';
import type {
  ChangeBy,
  ChangeOutcome,
  RequestRecord,
  ResourceChange,
  ResourceKind,
  Resources,
  Store,
} from './store.ts';

/** The instant at which the tests take place. */
export const NOW_MS = 1_750_000_000_000;

/** HMACs the audit logs of tests. */
export const AUDIT_KEY = createSecretKey(Buffer.alloc(32, 'audit'));

/** What is to be there after a call. */
export interface Records {
  readonly clients?: readonly Client[];
  readonly accounts?: readonly Account[];
  readonly plans?: readonly Plan[];
  readonly subscriptions?: readonly Subscription[];
  readonly keys?: readonly ApiKey[];
  readonly operators?: readonly Operator[];
}

/** Who makes the tests' changes. */
export const BY: ChangeBy = { actor: 'operator:test', atMs: NOW_MS, remoteAddress: '192.0.2.1' };

/** Puts these values in place of whatever is there. */
export function puts<K extends ResourceKind>(
  kind: K,
  values: readonly Resources[K][] = [],
): ResourceChange<K>[] {
  return values.map((value) => ({ kind, id: value.id, action: 'put', expect: 'any', value }));
}

/** The same for records of all kinds, in the order in which they name each other. */
export function putsOf(records: Records): ResourceChange[] {
  return [
    ...puts('client', records.clients),
    ...puts('account', records.accounts),
    ...puts('plan', records.plans),
    ...puts('subscription', records.subscriptions),
    ...puts('key', records.keys),
    ...puts('operator', records.operators),
  ];
}

/** Puts records in place, all of them or none. */
export function put(
  store: Store,
  records: Records,
  by: ChangeBy = BY,
  request?: RequestRecord,
): Promise<ChangeOutcome> {
  return store.change(putsOf(records), by, request);
}

export function operator(id: string, more: Partial<Operator> = {}): Operator {
  return {
    id,
    name: `Operator ${id}`,
    role: 'operator',
    tokenMac: `mac-of-${id}`,
    expiresAtMs: null,
    revokedAtMs: null,
    ...more,
  };
}

export function client(id: string): Client {
  return { id, name: `Client ${id}` };
}

export function account(id: string, clientId: string, readonly = false): Account {
  return { id, clientId, readonly };
}

export function permission(mic: string, more: Partial<Permission> = {}): Permission {
  return {
    quoteLevel: 3,
    delayMinutes: 15,
    conditionKind: 'mic',
    conditionValue: mic,
    ...more,
  };
}

export function plan(id: string, ...permissions: Permission[]): Plan {
  return { id, name: `Plan ${id}`, permissions };
}

export function subscription(id: string, clientId: string, planId: string): Subscription {
  return { id, clientId, planId, startsAtMs: NOW_MS - 1_000, endsAtMs: null };
}

export function key(id: string, clientId: string, more: Partial<ApiKey> = {}): ApiKey {
  return keyOf(id, clientId, { label: `Key ${id}`, secretMac: `mac-of-${id}`, ...more });
}

export function session(id: string, keyId: string, more: Partial<Session> = {}): Session {
  return {
    id,
    keyId,
    clientId: 'c1',
    sourceAppId: 'terminal',
    remoteAddress: '192.0.2.7',
    issuedAtMs: NOW_MS,
    expiresAtMs: NOW_MS + 903_000,
    revokedAtMs: null,
    ...more,
  };
}

export function audit(action: string, target: string, more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    atMs: NOW_MS,
    actor: 'operator:test',
    action,
    target,
    remoteAddress: '',
    detail: {},
    ...more,
  };
}

/** A limit order of account a1. */
export function order(clientOrderId: string, more: Partial<Order> = {}): Order {
  return {
    accountId: 'a1',
    symbol: 'SBER@MISX',
    quantity: '10',
    side: Side.BUY,
    type: OrderType.LIMIT,
    timeInForce: TimeInForce.DAY,
    limitPrice: '300.5',
    stopPrice: null,
    stopCondition: null,
    legs: [],
    clientOrderId,
    validBefore: null,
    comment: 'что ж',
    ...more,
  };
}

/** An order as it was placed, under its client order id. */
export function placed(orderId: string, of: Partial<Order> = {}): OrderState {
  return {
    orderId,
    execId: `${orderId} placed`,
    status: OrderStatus.NEW,
    order: order(orderId, of),
    transactAtMs: NOW_MS,
    acceptAtMs: NOW_MS,
    withdrawAtMs: null,
    triggeredAtMs: null,
    initialQuantity: '10',
    executedQuantity: '0',
    remainingQuantity: '10',
  };
}

export function canceled(state: OrderState): OrderState {
  const atMs = NOW_MS + 5;
  const execId = `${state.orderId} canceled`;
  const status = OrderStatus.CANCELED;
  return { ...state, execId, status, transactAtMs: atMs, withdrawAtMs: atMs };
}

export function filled(state: OrderState): OrderState {
  return {
    ...state,
    execId: `${state.orderId} filled`,
    status: OrderStatus.FILLED,
    transactAtMs: NOW_MS + 7,
    executedQuantity: '10',
    remainingQuantity: '0',
  };
}

export function trade(tradeId: string, { orderId, order }: OrderState): Trade {
  const { accountId, symbol, side, comment } = order;
  const atMs = NOW_MS + 7;
  return { tradeId, orderId, accountId, symbol, price: '300', size: '10', side, atMs, comment };
}

/** Client c1 with accounts a1 and a2 (readonly), plan p1 by subscription s1, and key k1. */
export const HOUSEHOLD: Required<Omit<Records, 'operators'>> = {
  clients: [client('c1')],
  accounts: [account('a1', 'c1'), account('a2', 'c1', true)],
  plans: [plan('p1', permission('MISX'), permission('#RBRD', { delayMinutes: 0 }))],
  subscriptions: [subscription('s1', 'c1', 'p1')],
  keys: [key('k1', 'c1', { callsMax: { Auth: 7, TokenDetails: 5 } })],
};
