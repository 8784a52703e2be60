/**
 * The demo data of `propusk dev`: the client of the documented example, and more keys with which
 * the author of a client can meet the rest.
 */
import type { MasterKey } from '../domain/master-key.ts';
import type { Account, ApiKey } from '../domain/model.ts';
import { type Permission, QuoteLevel } from '../domain/permission.ts';
import { formatSecret } from '../domain/secret.ts';
import type { ResourceChange, ResourceKind, Resources, Store } from '../store/store.ts';

/** The account of the documented example. */
export const DEMO_ACCOUNT = '1899011';
const LEVELS_ACCOUNT = 'TRQD05:146559';
/** One client's: the one trades, the other is readonly. */
const TRADING_ACCOUNT = '2100001';
const READONLY_ACCOUNT = '2100002';

/** A demo key and what it is good for. */
export interface DemoKey {
  readonly id: string;
  readonly label: string;
  readonly secret: string;
}

function realTimeDepth(mic: string): Permission {
  return {
    quoteLevel: QuoteLevel.DEPTH_OF_MARKET,
    delayMinutes: 0,
    conditionKind: 'mic',
    conditionValue: mic,
  };
}

const MOEX: readonly Permission[] = [realTimeDepth('#RBRD'), realTimeDepth('#WWCP')];

/** Every quote level and all four conditions. */
const EVERY_LEVEL: readonly Permission[] = [
  {
    quoteLevel: QuoteLevel.DEPTH_OF_BOOK,
    delayMinutes: 0,
    conditionKind: 'mic',
    conditionValue: 'XNAS',
  },
  {
    quoteLevel: QuoteLevel.ACCESS_FORBIDDEN,
    delayMinutes: 0,
    conditionKind: 'mic',
    conditionValue: '_SPBZ',
  },
  {
    quoteLevel: QuoteLevel.DEPTH_OF_MARKET,
    delayMinutes: 0,
    conditionKind: 'country',
    conditionValue: 'RU',
  },
  {
    quoteLevel: QuoteLevel.BEST_BID_OFFER,
    delayMinutes: 15,
    conditionKind: 'continent',
    conditionValue: 'EU',
  },
  {
    quoteLevel: QuoteLevel.LAST_PRICE,
    delayMinutes: 20,
    conditionKind: 'worldwide',
    conditionValue: '',
  },
];

/** The demo keys, the documented example's first. */
export function demoKeys(masterKey: MasterKey, secret: string | undefined): DemoKey[] {
  const key = (id: string, label: string): DemoKey => ({
    id,
    label,
    secret: formatSecret(masterKey.demoSecretBits(id)),
  });
  const demo = key('demo', 'demo');
  return [
    secret === undefined ? demo : { ...demo, secret },
    key('demo-readonly', 'readonly'),
    key('demo-no-account', 'no account'),
    key('demo-levels', 'every quote level'),
    key('demo-mixed', 'readonly account'),
  ];
}

/** Each put in place of whatever is there. */
function puts<K extends ResourceKind>(kind: K, values: readonly Resources[K][]) {
  return values.map(
    (value): ResourceChange<K> => ({ kind, id: value.id, action: 'put', expect: 'any', value }),
  );
}

function changesOf(keys: readonly DemoKey[], masterKey: MasterKey): ResourceChange[] {
  const keyOf = (id: string, clientId: string, change: Partial<ApiKey> = {}): ApiKey => ({
    id,
    clientId,
    label: keys.find((key) => key.id === id)?.label ?? id,
    secretMac: masterKey.macOfSecret(keys.find((key) => key.id === id)?.secret ?? ''),
    allAccounts: true,
    accountIds: [],
    readonly: false,
    callsMax: {},
    sourceNetworks: [],
    expiresAtMs: null,
    revokedAtMs: null,
    previousSecretMac: null,
    previousSecretEndsAtMs: null,
    ...change,
  });
  const account = (id: string, clientId: string, readonly = false): Account => ({
    id,
    clientId,
    readonly,
  });
  const subscription = (clientId: string, planId: string) => ({
    id: `${clientId}-${planId}`,
    clientId,
    planId,
    startsAtMs: 0,
    endsAtMs: null,
  });
  return [
    ...puts('client', [
      { id: 'demo', name: 'Demo trader' },
      { id: 'demo-levels', name: 'Demo trader with every quote level' },
      { id: 'demo-mixed', name: 'Demo trader with a readonly account' },
    ]),
    ...puts('account', [
      account(DEMO_ACCOUNT, 'demo'),
      account(LEVELS_ACCOUNT, 'demo-levels'),
      account(TRADING_ACCOUNT, 'demo-mixed'),
      account(READONLY_ACCOUNT, 'demo-mixed', true),
    ]),
    ...puts('plan', [
      { id: 'moex', name: 'Moscow Exchange and world quotes', permissions: MOEX },
      { id: 'every-level', name: 'Every quote level', permissions: EVERY_LEVEL },
    ]),
    ...puts('subscription', [
      subscription('demo', 'moex'),
      subscription('demo-levels', 'every-level'),
      subscription('demo-mixed', 'moex'),
    ]),
    ...puts('key', [
      keyOf('demo', 'demo'),
      keyOf('demo-readonly', 'demo', { readonly: true }),
      keyOf('demo-no-account', 'demo', { allAccounts: false }),
      keyOf('demo-levels', 'demo-levels'),
      keyOf('demo-mixed', 'demo-mixed'),
    ]),
  ];
}

/** Puts the demo data in place; a key that was revoked works again. */
export async function putDemoData(
  store: Store,
  keys: readonly DemoKey[],
  masterKey: MasterKey,
  nowMs: number,
): Promise<void> {
  const by = { actor: 'propusk', atMs: nowMs, remoteAddress: '' };
  await store.change(changesOf(keys, masterKey), by);
}
