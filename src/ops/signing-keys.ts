/** The token signing keys: made at the first start, at rest only under the master key. */
import { createSecretKey } from 'node:crypto';
import type { Clock, Random } from '../domain/clock.ts';
import type { MasterKey } from '../domain/master-key.ts';
import { newSigningKeyId, type SigningKey } from '../domain/token.ts';
import type { Store } from '../store/store.ts';

const SIGNING_KEY_BYTES = 32;

function label(id: string): string {
  return `signing-key:${id}`;
}

/** All signing keys that there are now, the newest first. */
export async function readSigningKeys(store: Store, masterKey: MasterKey): Promise<SigningKey[]> {
  return (await store.signingKeys()).map(({ id, sealed }) => ({
    id,
    key: createSecretKey(masterKey.open(sealed, label(id))),
  }));
}

/**
 * All signing keys, the one that signs first. Nodes that start on an empty database at the same moment
 * make one each; each asks for the other's when it first sees a token of it.
 */
export async function openSigningKeys(
  store: Store,
  masterKey: MasterKey,
  clock: Clock,
  random: Random,
): Promise<[SigningKey, ...SigningKey[]]> {
  let keys = await readSigningKeys(store, masterKey);
  if (keys.length === 0) {
    const id = newSigningKeyId(random);
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
    keys = await readSigningKeys(store, masterKey);
  }
  const [first, ...rest] = keys;
  if (first === undefined) throw new Error('the store kept no signing key');
  return [first, ...rest];
}
