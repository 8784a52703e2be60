/** The first owner: made by whoever can open the database, since nobody can be asked yet. */
import { type Clock, newId, type Random } from '../domain/clock.ts';
import type { MasterKey } from '../domain/master-key.ts';
import type { Operator } from '../domain/model.ts';
import { isOwnerAt } from '../domain/operator.ts';
import { formatSecret } from '../domain/secret.ts';
import { type Store, StoreError } from '../store/store.ts';

/** Bytes of an operator's token. */
const TOKEN_BYTES = 20;
const PAGE = 500;

export interface BootstrapOptions {
  readonly name: string;
  /** How long the token works, milliseconds. */
  readonly lifeMs: number;
  /** Make one although there is an owner already. */
  readonly isAnother: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Bootstrapped {
  readonly operator: Operator;
  /** Told once; the store keeps its HMAC. */
  readonly token: string;
}

/**
 * Makes an owner.
 * @throws StoreError when there is one whose token works, unless another is asked for
 */
export async function bootstrap(
  store: Store,
  masterKey: MasterKey,
  { name, lifeMs, isAnother, clock, random }: BootstrapOptions,
): Promise<Bootstrapped> {
  const atMs = clock.now();
  const owner = isAnother ? undefined : await workingOwner(store, atMs);
  if (owner !== undefined) {
    const advice = 'ask for an operator of your own, or give --another to make another owner';
    throw new StoreError(`there is an owner already: ${owner.name} (${owner.id}); ${advice}`);
  }
  const token = formatSecret(random(TOKEN_BYTES), 'pop_');
  const operator: Operator = {
    id: newId(random),
    name,
    role: 'owner',
    tokenMac: masterKey.macOfSecret(token),
    expiresAtMs: atMs + lifeMs,
    revokedAtMs: null,
  };
  await putOwner(store, operator, atMs);
  return { operator, token };
}

async function workingOwner(store: Store, atMs: number): Promise<Operator | undefined> {
  let afterId = '';
  for (;;) {
    const page = await store.list('operator', { afterId, limit: PAGE });
    const found = page.find((each) => isOwnerAt(each, atMs));
    if (found !== undefined || page.length < PAGE) return found;
    afterId = page.at(-1)?.id ?? '';
  }
}

/** The token of dev's operator, the same for the same data folder, as its secrets are. */
export function demoOperatorToken(masterKey: MasterKey): string {
  return formatSecret(masterKey.demoSecretBits('operator'), 'pop_');
}

/** Puts dev's operator in place; one that was revoked works again. Answers its token. */
export async function putDemoOperator(
  store: Store,
  masterKey: MasterKey,
  nowMs: number,
): Promise<string> {
  const token = demoOperatorToken(masterKey);
  const tokenMac = masterKey.macOfSecret(token);
  const value: Operator = {
    ...{ id: 'demo', name: 'demo', role: 'owner', tokenMac },
    ...{ expiresAtMs: null, revokedAtMs: null },
  };
  await putOwner(store, value, nowMs);
  return token;
}

async function putOwner(store: Store, value: Operator, atMs: number): Promise<void> {
  const by = { actor: 'propusk', atMs, remoteAddress: '' };
  const change = { kind: 'operator', id: value.id, action: 'bootstrap', value } as const;
  await store.change([{ ...change, expect: 'any' }], by);
}
