/** Whose secrets are whose, of the keys whose grants are held: dropped with the grant. */
import type { ApiKey } from '../domain/model.ts';

/** What is known of a secret. */
interface Held {
  readonly keyId: string;
  /** When it works no more, milliseconds; Infinity where it does not end by itself. */
  readonly endsAtMs: number;
}

export class HeldSecrets {
  /** By the HMAC of the secret. */
  readonly #byMac = new Map<string, Held>();
  readonly #macsOfKey = new Map<string, readonly string[]>();

  /** The key whose secret has this HMAC at `nowMs`; undefined where what is held does not tell. */
  keyIdOf(secretMac: string, nowMs: number): string | undefined {
    const held = this.#byMac.get(secretMac);
    return held !== undefined && nowMs < held.endsAtMs ? held.keyId : undefined;
  }

  hold({ id: keyId, secretMac, previousSecretMac, previousSecretEndsAtMs }: ApiKey): void {
    this.drop(keyId);
    // The newest last: it does not end, whatever is said of the one before.
    if (previousSecretMac !== null) {
      this.#byMac.set(previousSecretMac, { keyId, endsAtMs: previousSecretEndsAtMs ?? 0 });
    }
    this.#byMac.set(secretMac, { keyId, endsAtMs: Number.POSITIVE_INFINITY });
    const macs = previousSecretMac === null ? [secretMac] : [previousSecretMac, secretMac];
    this.#macsOfKey.set(keyId, macs);
  }

  drop(keyId: string): void {
    for (const mac of this.#macsOfKey.get(keyId) ?? []) {
      // It may have become another key's since.
      if (this.#byMac.get(mac)?.keyId === keyId) this.#byMac.delete(mac);
    }
    this.#macsOfKey.delete(keyId);
  }

  clear(): void {
    this.#byMac.clear();
    this.#macsOfKey.clear();
  }
}
