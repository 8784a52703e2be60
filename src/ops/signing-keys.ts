/** The token signing keys: made at the first start, at rest only under the master key. */
import { createSecretKey } from 'node:crypto';
import type { Clock, Random } from '../domain/clock.ts';
import type { MasterKey } from '../domain/master-key.ts';
import type { SigningKey } from '../domain/token.ts';
import type { Store } from '../store/store.ts';

const SIGNING_KEY_BYTES = 32;

function label(id: string): string {
  return `signing-key:${id}`;
}

/** All signing keys, the one that signs first. */
export async function openSigningKeys(
  store: Store,
  masterKey: MasterKey,
  clock: Clock,
  random: Random,
): Promise<[SigningKey, ...SigningKey[]]> {
  let rows = await store.signingKeys();
  if (rows.length === 0) {
    const id = random(6).toString('hex');
    const sealed = masterKey.seal(random(SIGNING_KEY_BYTES), label(id), random);
    const atMs = clock.now();
    await store.addSigningKey(
      { id, sealed, createdAtMs: atMs },
      {
        atMs,
        actor: 'propusk',
        action: 'signing-key.create',
        target: `signing-key:${id}`,
        remoteAddress: '',
        detail: {},
      },
    );
    rows = await store.signingKeys();
  }
  const keys = rows.map(({ id, sealed }) => ({
    id,
    key: createSecretKey(masterKey.open(sealed, label(id))),
  }));
  const [first, ...rest] = keys;
  if (first === undefined) throw new Error('the store kept no signing key');
  return [first, ...rest];
}
