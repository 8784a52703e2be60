/** Tokens whose claims or text are not what we write, even under the real key: all refused alike. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { signToken } from '../src/domain/token.ts';
import { besidesEngines } from './engines.ts';
import { Forge } from './forge.ts';
import { claimsOf, revokeSession } from './steps.ts';
import { linesOf } from './wait.ts';

const forge = await Forge.open();
after(() => forge[Symbol.asyncDispose]());
const { good: GOOD, head: HEAD, body: BODY, mac: MAC, claims: CLAIMS } = forge;
/** The claims as text, without their braces, so that text can be put in. */
const CLAIMS_INSIDE = JSON.stringify(CLAIMS).slice(1, -1);

forge.refuse('claims of a wrong form, under the real key', {
  'another iss': forge.withClaims({ iss: 'other' }),
  'iss as a list': forge.withClaims({ iss: ['propusk'] }),
  'exp as a string': forge.withClaims({ exp: String(CLAIMS.exp) }),
  'exp as a float': forge.withClaims({ exp: CLAIMS.exp + 0.5 }),
  'exp below zero': forge.withClaims({ exp: -1 }),
  'exp of null': forge.withClaims({ exp: null }),
  'exp of true': forge.withClaims({ exp: true }),
  'exp beyond all dates': forge.withClaims({ exp: Number.MAX_SAFE_INTEGER }),
  'exp just beyond the last date': forge.withClaims({ exp: 253_402_300_800 }),
  'exp beyond all numbers': forge.withClaimsText(
    JSON.stringify(CLAIMS).replace(/"exp":\d+/, '"exp":1e999'),
  ),
  'exp with an exponent': forge.withClaimsText(
    JSON.stringify(CLAIMS).replace(/"exp":\d+/, '"exp":9e12'),
  ),
  'iat as a string': forge.withClaims({ iat: String(CLAIMS.iat) }),
  'iat before all dates': forge.withClaims({ iat: -Number.MAX_SAFE_INTEGER }),
  'sub as a number': forge.withClaims({ sub: 1 }),
  'jti of null': forge.withClaims({ jti: null }),
  'key as a list': forge.withClaims({ key: ['demo'] }),
  'a key that is not there': forge.withClaims({ key: 'no-such-key' }),
  'a claim more': forge.withClaims({ admin: true }),
  nbf: forge.withClaims({ nbf: 0 }),
  ...Object.fromEntries(
    Object.keys(CLAIMS).map((name) => [`no ${name}`, forge.withClaims({ [name]: undefined })]),
  ),
});

forge.refuse('the text of the claims', {
  'exp twice': forge.withClaimsText(`{"exp":1,${CLAIMS_INSIDE}}`),
  'exp twice, the other way': forge.withClaimsText(`{${CLAIMS_INSIDE},"exp":9999999999}`),
  'a space': forge.withClaimsText(`{ ${CLAIMS_INSIDE}}`),
  'a line feed after': forge.withClaimsText(`{${CLAIMS_INSIDE}}\n`),
  'data after': forge.withClaimsText(`{${CLAIMS_INSIDE}}{}`),
  'a comma more': forge.withClaimsText(`{${CLAIMS_INSIDE},}`),
  'a byte order mark': forge.withClaimsText(`\ufeff{${CLAIMS_INSIDE}}`),
  'an escape': forge.withClaimsText(`{${CLAIMS_INSIDE.replace('sub', 's\\u0075b')}}`),
  'a claim __proto__': forge.withClaimsText(`{${CLAIMS_INSIDE},"__proto__":{}}`),
  'a list': forge.withClaimsText(`[{${CLAIMS_INSIDE}}]`),
  null: forge.withClaimsText('null'),
  'not UTF-8': forge.sealParts(HEAD, Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')),
  nothing: forge.withClaimsText(''),
});

const other = await forge.four.grpc.auth(forge.server.secret);
const [, otherBody = '', otherMac = ''] = other.split('.');
const last = MAC.at(-1) ?? '';
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** The same 32 bytes to a lenient reader: a MAC's last character has two bits that say nothing. */
const spareBits = [1, 2, 3].map((bits) => {
  const index = (ALPHABET.indexOf(last) & ~3) | ((ALPHABET.indexOf(last) + bits) & 3);
  return `${HEAD}.${BODY}.${MAC.slice(0, -1)}${ALPHABET[index]}`;
});
for (const each of spareBits) {
  const bytes = Buffer.from(each.split('.')[2] ?? '', 'base64url');
  assert.deepEqual(bytes, Buffer.from(MAC, 'base64url'));
}
forge.refuse('the text of the parts', {
  ...Object.fromEntries(spareBits.map((token, i) => [`spare bits ${i}`, token])),
  'padding after the signature': `${GOOD}=`,
  'padding after the payload': forge.sealParts(HEAD, `${BODY}=`),
  'padding, not signed': `${HEAD}.${BODY}=.${MAC}`,
  'the other alphabet': forge.sealParts(
    HEAD,
    Buffer.from(`{${CLAIMS_INSIDE.replace('demo', '???>>>')}}`)
      .toString('base64')
      .replace(/=+$/, ''),
  ),
  'a MAC in the other alphabet': `${HEAD}.${BODY}.${Buffer.from(MAC, 'base64url').toString('base64')}`,
  'a short signature': `${HEAD}.${BODY}.${MAC.slice(0, -1)}`,
  'half a signature': `${HEAD}.${BODY}.${MAC.slice(0, 21)}`,
  'a long signature': `${GOOD}A`,
  'a signature of zeros': `${HEAD}.${BODY}.${'A'.repeat(43)}`,
  'a signature in hex': `${HEAD}.${BODY}.${Buffer.from(MAC, 'base64url').toString('hex')}`,
  "another token's signature": `${HEAD}.${BODY}.${otherMac}`,
  "another token's payload": `${HEAD}.${otherBody}.${MAC}`,
  'swapped parts': `${BODY}.${HEAD}.${MAC}`,
  'swapped parts, signed': forge.sealParts(BODY, HEAD),
  'one part': HEAD,
  'two parts': `${HEAD}.${BODY}`,
  'four parts': `${GOOD}.${MAC}`,
  'four parts, one empty': `${GOOD}.`,
  'an empty part before': `.${GOOD}`,
  'dots alone': '..',
  'many dots': '.'.repeat(2000),
  JSON: JSON.stringify({ protected: HEAD, payload: BODY, signature: MAC }),
});

forge.refuse('text around and inside', {
  'a space before': ` ${GOOD}`,
  'a space after': `${GOOD} `,
  'a line feed after': `${GOOD}\n`,
  'a line feed inside': `${HEAD}.\n${BODY}.${MAC}`,
  'a NUL after': `${GOOD}\0`,
  quotes: `"${GOOD}"`,
  Bearer: `Bearer ${GOOD}`,
  'percent-encoding': GOOD.replaceAll('.', '%2E'),
  'upper case': GOOD.toUpperCase(),
  'a full-width full stop': GOOD.replace('.', '\uff0e'),
  'an invisible character': `${HEAD}.\u200b${BODY}.${MAC}`,
  'letters that look alike': GOOD.replace('e', '\u0435'),
  'other writing': 'токен.токен.токен',
  emoji: '🙂.🙂.🙂',
});

forge.refuse('very long tokens', {
  'a long header': forge.withHeader({ pad: 'x'.repeat(100_000) }),
  'a long claim': forge.withClaims({ sub: 'x'.repeat(100_000) }),
  'a long signature': `${GOOD}${'A'.repeat(100_000)}`,
  'a long nothing': 'x'.repeat(200_000),
});

test('a token that has been revoked is refused in every spelling', async () => {
  const token = await forge.four.grpc.auth(forge.server.secret);
  await revokeSession(forge.server.server.store, claimsOf(token).jti);
  await forge.assertRefused(token);
  await forge.assertRefused(`${token}=`);
});

test('a token of a session that the real key made long ago', async () => {
  const claims = { clientId: 'demo', sessionId: 'old', keyId: 'demo', issuedAt: 1, expiresAt: 904 };
  await forge.assertRefused(signToken(claims, forge.signing));
});

test('none of it was a fault of ours', () => {
  const lines = linesOf(besidesEngines(forge.server.log));
  assert.ok(lines.length > 100);
  for (const line of lines) assert.ok(['OK', 'UNAUTHENTICATED'].includes(String(line.code)));
});
