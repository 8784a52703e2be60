/** What peers that verify session tokens share: the key, and what each API key may do, in memory. */
import { createVerifier } from 'fast-jwt';
import { answer } from './answer.js';

const KEYS = Number(process.env.BENCH_KEYS);
/** Verified tokens held, as many as Propusk holds. */
const TOKENS_HELD = 50_000;

const verify = createVerifier({
  key: Buffer.from(process.env.BENCH_SIGNING_KEY, 'hex'),
  algorithms: ['HS256'],
  allowedIss: 'propusk',
  cache: TOKENS_HELD,
});

/** By API key. */
const grants = new Map();
for (let i = 0; i < KEYS; i++) {
  grants.set(`key-${String(i).padStart(18, '0')}`, {
    md_permissions: answer.md_permissions,
    account_ids: [String(1_000_000 + Math.floor(i / 4))],
    readonly: false,
  });
}

/** The claims of a token and what its key may do; throws when it is not good. */
export function detailsOf(token) {
  const claims = verify(token);
  const grant = grants.get(claims.key);
  if (grant === undefined) throw new Error('unknown key');
  return { claims, grant };
}
