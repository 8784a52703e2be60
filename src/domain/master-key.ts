/**
 * The one master key and what is derived from it. Nothing else protects what rests: the HMACs of
 * secrets, the sealed signing keys, the demo secrets. Every HMAC and sealed value names the version
 * of the key that made it, so that a later version can stand beside it.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import type { Random } from './clock.ts';
import { hmacOf } from './hmac.ts';

/** Bytes of a master key. */
export const MASTER_KEY_BYTES = 32;
const VERSION = '1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Reads a master key as people write it: 64 hex digits, or base64 of 32 bytes. */
export function parseMasterKey(text: string): Buffer | undefined {
  const value = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(value)) return Buffer.from(value, 'hex');
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(value)) return undefined;
  return Buffer.from(value, 'base64');
}

export class MasterKey {
  readonly #secretMac: KeyObject;
  readonly #seal: KeyObject;
  readonly #check: KeyObject;
  readonly #demo: KeyObject;
  /** HMACs the audit log; a KeyObject, so that it reaches a thread without being text anywhere. */
  readonly auditKey: KeyObject;

  /** @param key MASTER_KEY_BYTES bytes */
  constructor(key: Buffer) {
    if (key.length !== MASTER_KEY_BYTES) throw new Error('a master key has 32 bytes');
    const derive = (use: string) =>
      createSecretKey(Buffer.from(hkdfSync('sha256', key, '', `propusk/v${VERSION}/${use}`, 32)));
    this.#secretMac = derive('secret-mac');
    this.#seal = derive('seal');
    this.#check = derive('check');
    this.#demo = derive('demo-secret');
    this.auditKey = derive('audit');
  }

  /** What the store keeps instead of a secret, and finds its key by. */
  macOfSecret(secret: string): string {
    return `${VERSION}:${hmacOf(this.#secretMac, secret)}`;
  }

  /** Noted in the database, so that a wrong master key is told at the start. */
  checkValue(): string {
    return `${VERSION}:${hmacOf(this.#check, 'propusk')}`;
  }

  /** True when `noted` was written under this master key. */
  matches(noted: string): boolean {
    const own = Buffer.from(this.checkValue());
    const other = Buffer.from(noted);
    return own.length === other.length && timingSafeEqual(own, other);
  }

  /** 160 bits that are the same for the same master key and name: a demo key's secret. */
  demoSecretBits(name: string): Buffer {
    return Buffer.from(hmacOf(this.#demo, name), 'base64url').subarray(0, 20);
  }

  /** Encrypts (AES-256-GCM); `label` says what it is, and must be given again to open it. */
  seal(plain: Buffer, label: string, random: Random): string {
    const nonce = random(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#seal, nonce).setAAD(Buffer.from(label));
    const parts = [nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()];
    return `${VERSION}:${Buffer.concat(parts).toString('base64url')}`;
  }

  /** Decrypts what seal made; throws when it was changed, or the key or label is another. */
  open(sealed: string, label: string): Buffer {
    const [version, text] = sealed.split(':');
    if (version !== VERSION || text === undefined) throw new Error('sealed by an unknown version');
    const bytes = Buffer.from(text, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', this.#seal, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    })
      .setAAD(Buffer.from(label))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    return Buffer.concat([
      decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)),
      decipher.final(),
    ]);
  }
}
