/**
 * What an open renewal stream costs: opens many on one server process, and asks for TokenDetails
 * while they are open. Usage: node bench/renewal-streams.ts [streams]
 */
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { create, toBinary } from '@bufbuild/protobuf';
import { SubscribeJwtRenewalRequestSchema } from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { startDev } from '../test/start.ts';

const STREAMS = Number(process.argv[2] ?? 10_000);
/** The server's own default of streams per connection; each connection's open at once. */
const STREAMS_PER_CONNECTION = 1000;
const DETAILS = 2000;
const PATH = '/grpc.tradeapi.v1.auth.AuthService/SubscribeJwtRenewal';

await using dev = await startDev({
  args: ['--limit', '1000000', '--streams-per-key-max', '1000000'],
});

/** Resident memory of the server, in KiB. */
function residentKiB(): number {
  const status = readFileSync(`/proc/${dev.child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}

async function post(path: string, body: object) {
  const answer = await fetch(dev.url + path, { method: 'POST', body: JSON.stringify(body) });
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}`);
  return (await answer.json()) as Record<string, string>;
}

/** Latencies of TokenDetails calls one after another, in milliseconds, sorted. */
async function details(token: string): Promise<number[]> {
  const taken: number[] = [];
  for (let i = 0; i < DETAILS; i++) {
    const from = performance.now();
    await post('/v1/sessions/details', { token });
    taken.push(performance.now() - from);
  }
  return taken.sort((a, b) => a - b);
}

function show(name: string, sorted: number[]): void {
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]?.toFixed(2);
  console.log(`TokenDetails ${name}: median ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}

function openStream(session: http2.ClientHttp2Session, message: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.once('data', () => resolve());
    stream.on('error', reject);
    for (const event of ['response', 'trailers']) {
      stream.on(event, ({ 'grpc-status': status, 'grpc-message': message }) => {
        if (status !== undefined) reject(new Error(`ended with ${status}: ${message}`));
      });
    }
    stream.end(message);
  });
}

const { token = '' } = await post('/v1/sessions', { secret: dev.secret });
await details(token);
show('before', await details(token));
const before = residentKiB();

const request = create(SubscribeJwtRenewalRequestSchema, { secret: dev.secret });
const bytes = toBinary(SubscribeJwtRenewalRequestSchema, request);
const message = Buffer.concat([Buffer.from([0, 0, 0, 0, bytes.length]), bytes]);
const sessions: http2.ClientHttp2Session[] = [];
const from = performance.now();
for (let left = STREAMS; left > 0; left -= STREAMS_PER_CONNECTION) {
  const session = http2.connect(dev.url);
  sessions.push(session);
  const count = Math.min(left, STREAMS_PER_CONNECTION);
  await Promise.all(Array.from({ length: count }, () => openStream(session, message)));
}
const seconds = (performance.now() - from) / 1000;
console.log(
  `${STREAMS} streams on ${sessions.length} connections had a token in ${seconds.toFixed(1)} s`,
);
show('with the streams open', await details(token));
const grown = residentKiB() - before;
console.log(
  `resident memory: ${before} KiB before, ${(grown / STREAMS).toFixed(1)} KiB more per stream`,
);
for (const session of sessions) session.destroy();
