/** TLS: what is spoken, and certificates that change while the server runs. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { selfSigned } from '../src/ops/certificate.ts';
import { type InProcess, runProgram, startHere, temporaryFolder } from './start.ts';
import { until } from './wait.ts';

/** More than a server writes answers to before it pauses. */
const REQUESTS = 5000;

let server: InProcess;
before(async () => {
  server = await startHere(['--tls']);
});
after(() => server.stop());

function certificate(): Buffer {
  return readFileSync(path.join(server.folder, 'tls.crt'));
}

function connect(options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port: server.port,
      ca: certificate(),
      ...options,
    });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

async function nextTicket(socket: tls.TLSSocket): Promise<Buffer> {
  const [session] = await once(socket, 'session', { signal: AbortSignal.timeout(10_000) });
  return session;
}

async function fingerprint(): Promise<string> {
  const socket = await connect({ rejectUnauthorized: false });
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

/** Nothing old is spoken, nothing weak, and an open connection gets no new keys on demand. */
async function assertStrict(): Promise<void> {
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
  await assert.rejects(connect(old), /alert protocol version/);
  const version = { maxVersion: 'TLSv1.2', rejectUnauthorized: false } as const;
  const weak = { ...version, ciphers: 'ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA' };
  await assert.rejects(connect(weak), /alert handshake failure/);
  const socket = await connect(version);
  const error = await new Promise((resolve) => {
    socket.on('error', resolve);
    socket.renegotiate({ rejectUnauthorized: false }, resolve);
  });
  assert.match(String(error), /no renegotiation/);
}

test('TLS 1.2 and 1.3 are spoken, and nothing older or weaker', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = await connect({ minVersion: version, maxVersion: version });
    assert.equal(socket.getProtocol(), version);
    socket.destroy();
  }
  await assertStrict();
});

test('who comes back with a ticket needs no whole handshake', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const versions = { minVersion: version, maxVersion: version } as const;
    const first = await connect(versions);
    assert.equal(first.isSessionReused(), false);
    // TLS 1.2 hands out its ticket within the handshake, TLS 1.3 after it.
    const session = version === 'TLSv1.2' ? first.getSession() : await nextTicket(first);
    first.destroy();
    const second = await connect({ ...versions, session });
    assert.equal(second.isSessionReused(), true, version);
    second.destroy();
  }
});

test('HTTP/1.1 and HTTP/2 are chosen by ALPN on the one port', async () => {
  const ca = certificate();
  const version = await new Promise((resolve, reject) => {
    https
      .get(`${server.url}/healthz`, { ca, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.httpVersion);
      })
      .on('error', reject);
  });
  assert.equal(version, '1.1');
  const session = http2.connect(server.url, { ca });
  const status = await new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/healthz' });
    stream.once('response', (headers) => resolve(headers[':status']));
    stream.once('error', reject);
  });
  assert.equal(status, 200);
  session.destroy();
  const plain = await connect({ ALPNProtocols: [] });
  plain.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const answer = await plain.toArray();
  assert.match(Buffer.concat(answer).toString(), /^HTTP\/1\.1 200 OK/);
});

test('requests that come all at once are answered, each', async () => {
  const socket = await connect({ ALPNProtocols: ['http/1.1'] });
  let text = '';
  const ended = new Promise((resolve, reject) => socket.on('close', resolve).on('error', reject));
  socket.setEncoding('latin1').on('data', (part) => {
    text += part;
  });
  const request = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
  socket.write(request.repeat(REQUESTS - 1));
  socket.write(request.replace('Host', 'Connection: close\r\nHost'));
  await ended;
  assert.equal(text.split('HTTP/1.1 200 OK').length - 1, REQUESTS);
});

test('a new certificate is taken without a restart; a bad one is not', async () => {
  const first = await fingerprint();
  const other = await selfSigned(temporaryFolder(), 'other.example', Date.now());
  const open = await connect({ rejectUnauthorized: false });
  copyFileSync(other.keyFile, path.join(server.folder, 'tls.key'));
  await until('a complaint', () =>
    server.log.some((line) => line.includes('kept the old TLS certificate')),
  );
  assert.equal(await fingerprint(), first);
  copyFileSync(other.certFile, path.join(server.folder, 'tls.crt'));
  await until('the new one', async () => (await fingerprint()) !== first);
  assert.equal(await fingerprint(), new X509Certificate(other.cert).fingerprint256);
  await assertStrict();
  open.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.match(Buffer.concat(await open.toArray()).toString(), /^HTTP\/1\.1 200 OK/);
});

test('files that are no pair stop the start in one line', async () => {
  const folder = temporaryFolder();
  const one = await selfSigned(folder, 'one.example', Date.now());
  const other = await selfSigned(temporaryFolder(), 'other.example', Date.now());
  const junk = path.join(folder, 'junk.pem');
  writeFileSync(junk, 'junk');
  for (const [cert, key] of [
    [one.certFile, other.keyFile],
    [junk, one.keyFile],
    [one.certFile, path.join(folder, 'none.pem')],
  ] as const) {
    const data = temporaryFolder();
    const args = ['dev', '--data', data, '--listen', '127.0.0.1:0'];
    const { code, stderr } = await runProgram([...args, '--tls-cert', cert, '--tls-key', key]);
    assert.equal(code, 2);
    assert.match(stderr, /^propusk: .*(no TLS pair|TLS key cannot be read).*\n$/);
  }
});
