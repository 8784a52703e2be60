/**
 * HMAC-SHA256 (RFC 2104) as two hashes, each made in one call: Node's own Hmac makes and drops an object of
 * OpenSSL's each time, which takes as long as the hashing. A property test holds it to Node's.
 */
import { hash, type KeyObject } from 'node:crypto';

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
/** Bytes of a text that has a place already; longer ones get one of their own. */
const PLACE_BYTES = 8192;
/** UTF-8 takes at most so many for each unit of a text's length. */
const BYTES_PER_UNIT = 3;

/** What is hashed: a block that the key makes, and room for what follows it. */
interface Blocks {
  readonly inner: Buffer;
  readonly outer: Buffer;
}

const blocksOfKey = new WeakMap<KeyObject, Blocks>();

/** The HMAC of a text as UTF-8, in base64url. @param key of at most 64 bytes */
export function hmacOf(key: KeyObject, text: string): string {
  let blocks = blocksOfKey.get(key);
  if (blocks === undefined) {
    blocks = blocksOf(key.export());
    blocksOfKey.set(key, blocks);
  }
  const { inner, outer } = blocks;
  const bytesMax = text.length * BYTES_PER_UNIT;
  const place = bytesMax > PLACE_BYTES ? withRoom(inner, bytesMax) : inner;
  const end = BLOCK_BYTES + place.write(text, BLOCK_BYTES);
  outer.write(hash('sha256', place.subarray(0, end), 'binary'), BLOCK_BYTES, 'binary');
  // It may be a secret.
  place.fill(0, BLOCK_BYTES, end);
  return hash('sha256', outer, 'base64url');
}

function blocksOf(key: Buffer): Blocks {
  if (key.length > BLOCK_BYTES) throw new Error('an HMAC key has at most 64 bytes');
  const padded = Buffer.concat([key], BLOCK_BYTES);
  const inner = padded.map((byte) => byte ^ 0x36);
  const outer = padded.map((byte) => byte ^ 0x5c);
  return {
    inner: withRoom(Buffer.from(inner), PLACE_BYTES),
    outer: withRoom(Buffer.from(outer), HASH_BYTES),
  };
}

/** The block that something begins with, and so many bytes after it. */
function withRoom(begins: Buffer, bytes: number): Buffer {
  return Buffer.concat([begins.subarray(0, BLOCK_BYTES)], BLOCK_BYTES + bytes);
}
