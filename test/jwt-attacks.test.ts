/**
 * The attacks of RFC 8725 on the header and the keys of a token: all refused, all alike. jose is the
 * oracle: it reads our tokens, and makes tokens that are right in all but their form.
 */
import assert from 'node:assert/strict';
import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { CompactEncrypt, decodeProtectedHeader, exportJWK, jwtVerify, SignJWT } from 'jose';
import { besidesEngines } from './engines.ts';
import { encode, Forge } from './forge.ts';
import { linesOf } from './wait.ts';

const forge = await Forge.open();
after(() => forge[Symbol.asyncDispose]());
const { good: GOOD, head: HEAD, body: BODY, mac: MAC, claims: CLAIMS } = forge;
const { id: KID, key: KEY } = forge.signing;
const HEADER = { alg: 'HS256', typ: 'JWT', kid: KID };
const HEADER_INSIDE = JSON.stringify(HEADER).slice(1, -1);

test('the real key makes the very token, so that the attacks below fail for their own reason', async () => {
  assert.equal(forge.seal(JSON.stringify(HEADER), JSON.stringify(CLAIMS)), GOOD);
  for (const client of forge.four.all) assert.ok(await client.tokenDetails(GOOD));
});

test('jose reads our token', async () => {
  const options = { algorithms: ['HS256'], issuer: 'propusk', typ: 'JWT' };
  const { payload, protectedHeader } = await jwtVerify(GOOD, KEY, options);
  assert.deepEqual(Object.keys(protectedHeader), ['alg', 'typ', 'kid']);
  assert.deepEqual(decodeProtectedHeader(GOOD), HEADER);
  assert.deepEqual(Object.keys(payload), ['iss', 'sub', 'jti', 'key', 'iat', 'exp']);
  assert.equal(payload.exp, (payload.iat ?? 0) + 903);
  assert.deepEqual([payload.iss, payload.sub, payload.key], ['propusk', 'demo', 'demo']);
  assert.match(String(payload.jti), /^[\w-]{22}$/);
});

test('jose makes the same token from the same header and claims, and it is taken', async () => {
  const { iss, sub, jti, key, iat, exp } = CLAIMS;
  const made = await new SignJWT({ iss, sub, jti, key, iat, exp } as never)
    .setProtectedHeader(HEADER)
    .sign(KEY);
  assert.equal(made, GOOD);
});

test('tokens by jose with the right key, but of another form', async () => {
  const { iss, sub, jti, key, iat, exp } = CLAIMS;
  const same = { iss, sub, jti, key, iat, exp } as never;
  const { alg, typ, kid } = HEADER;
  for (const made of [
    await new SignJWT({ exp, iat, key, jti, sub, iss } as never)
      .setProtectedHeader(HEADER)
      .sign(KEY),
    await new SignJWT(same).setProtectedHeader({ alg, kid, typ }).sign(KEY),
    await new SignJWT(same).setProtectedHeader({ alg, typ }).sign(KEY),
    await new SignJWT(same).setProtectedHeader({ alg }).sign(KEY),
    await new SignJWT(same).setProtectedHeader({ ...HEADER, cty: 'JWT' }).sign(KEY),
    await new SignJWT(same).setProtectedHeader(HEADER).setAudience('propusk').sign(KEY),
    await new SignJWT(same).setProtectedHeader(HEADER).setNotBefore(0).sign(KEY),
  ]) {
    assert.ok(await jwtVerify(made, KEY), 'jose itself takes it');
    await forge.assertRefused(made);
  }
});

const unsigned = ['none', 'None', 'NONE', 'nOnE', 'none ', ''].flatMap((alg) => {
  const head = encode(JSON.stringify({ ...HEADER, alg }));
  return [
    `${head}.${BODY}.`,
    `${head}.${BODY}`,
    `${head}.${BODY}.${MAC}`,
    forge.withHeader({ alg }),
  ];
});
forge.refuse('no signature', {
  ...Object.fromEntries(unsigned.map((token, i) => [`none ${i}`, token])),
  'the real header, no signature': `${HEAD}.${BODY}.`,
  'no alg': forge.withHeaderText(`{"typ":"JWT","kid":"${KID}"}`),
});

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const rsaPem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
const rsaJwk = await exportJWK(rsa.publicKey);
const ecJwk = await exportJWK(ec.publicKey);

async function signedWith(alg: string, key: Parameters<SignJWT['sign']>[0], more = {}) {
  return new SignJWT(CLAIMS as never).setProtectedHeader({ ...HEADER, alg, ...more }).sign(key);
}

const long = createSecretKey(randomBytes(64));
forge.refuse('other algorithms', {
  'HS384 with the real key': forge.withHeader({ alg: 'HS384' }, KEY, 'sha384'),
  'HS512 with the real key': forge.withHeader({ alg: 'HS512' }, KEY, 'sha512'),
  'HS256 that is HS512': forge.withHeader({}, KEY, 'sha512'),
  'HS256 in lower case': forge.withHeader({ alg: 'hs256' }),
  'alg as a list': forge.withHeader({ alg: ['HS256'] }),
  'another key': await signedWith('HS256', long),
  'an empty key': forge.withHeader({}, createSecretKey(Buffer.alloc(0))),
  'a key of zeros': forge.withHeader({}, createSecretKey(Buffer.alloc(32))),
  'a public key as the secret': forge.withHeader({}, createSecretKey(Buffer.from(rsaPem))),
  RS256: await signedWith('RS256', rsa.privateKey),
  PS256: await signedWith('PS256', rsa.privateKey),
  ES256: await signedWith('ES256', ec.privateKey),
  EdDSA: await signedWith('EdDSA', ed.privateKey),
});

forge.refuse('a key that the token brings along', {
  jwk: await signedWith('ES256', ec.privateKey, { jwk: ecJwk }),
  'jwk of RSA': await signedWith('RS256', rsa.privateKey, { jwk: rsaJwk }),
  'jwk of a secret': await signedWith('HS256', long, { jwk: { kty: 'oct', k: 'AAAA' } }),
  jku: await signedWith('RS256', rsa.privateKey, { jku: `${forge.server.url}/keys` }),
  x5u: await signedWith('RS256', rsa.privateKey, { x5u: `${forge.server.url}/cert.pem` }),
  x5c: await signedWith('RS256', rsa.privateKey, { x5c: ['MIIB'] }),
  'jwk, but the real key': forge.withHeader({ jwk: ecJwk }),
  'jku, but the real key': forge.withHeader({ jku: forge.server.url }),
});

const kids = [
  '',
  '../../../../../../dev/null',
  '/dev/null',
  "' OR '1'='1",
  "x' UNION SELECT 'key' --",
  `${KID}\0`,
  ` ${KID}`,
  KID.toUpperCase() === KID ? `${KID}A` : KID.toUpperCase(),
  'toString',
  '__proto__',
  0,
  null,
  true,
  [KID],
  { id: KID },
];
forge.refuse('tricks with the kid', {
  ...Object.fromEntries(kids.map((kid, i) => [`kid ${i}`, forge.withHeader({ kid })])),
  'an empty key by path': forge.withHeader({ kid: '/dev/null' }, createSecretKey(Buffer.alloc(0))),
  'no kid': forge.withHeaderText('{"alg":"HS256","typ":"JWT"}'),
  'the kid of another key': forge.withHeader({ kid: '0123456789ab' }, long),
  'the real kid, another key': forge.withHeader({}, long),
});

forge.refuse('other headers', {
  crit: forge.withHeader({ crit: ['exp'] }),
  'crit of nothing': forge.withHeader({ crit: [] }),
  'b64 and crit': forge.withHeader({ b64: false, crit: ['b64'] }),
  'typ of an access token': forge.withHeader({ typ: 'at+jwt' }),
  'typ in lower case': forge.withHeader({ typ: 'jwt' }),
  'no typ': forge.withHeaderText(`{"alg":"HS256","kid":"${KID}"}`),
  zip: forge.withHeader({ zip: 'DEF' }),
  'alg twice': forge.withHeaderText(`{"alg":"none",${HEADER_INSIDE}}`),
  'a space': forge.withHeaderText(`{ ${HEADER_INSIDE}}`),
  'an escape': forge.withHeaderText(JSON.stringify(HEADER).replace('alg', '\\u0061lg')),
  'a list': forge.withHeaderText(`[${JSON.stringify(HEADER)}]`),
  nothing: forge.withHeaderText(''),
  null: forge.withHeaderText('null'),
});

forge.refuse('encrypted tokens', {
  dir: await new CompactEncrypt(Buffer.from(JSON.stringify(CLAIMS)))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: KID })
    .encrypt(KEY),
  'five parts of ours': `${HEAD}.${BODY}.${MAC}.${BODY}.${MAC}`,
});

test('none of it was a fault of ours', () => {
  const lines = linesOf(besidesEngines(forge.server.log));
  assert.ok(lines.length > 100);
  for (const line of lines) assert.ok(['OK', 'UNAUTHENTICATED'].includes(String(line.code)));
});
