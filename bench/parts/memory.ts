/** What a server needs: to start, to be idle, and for each key and stream that it holds. */
import http2 from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, toBinary } from '@bufbuild/protobuf';
import { SubscribeJwtRenewalRequestSchema } from '../../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { GENTLE, restDetails, tokensOf } from '../calls.ts';
import { secretOf } from '../fixture.ts';
import { median } from '../rounds.ts';
import type { Section } from '../section.ts';
import type { Running } from '../servers.ts';
import type { Stage } from '../stage.ts';

const STARTS = 7;
const SETTLE_MS = 5000;
/** As many as `--grants-cached-max` holds. */
const KEYS_HELD = 200_000;
/** More than are held, and as many as fit in a minute of `--callers-max`. */
const KEYS_ASKED = 450_000;
const STREAMS = 10_000;
const STREAMS_PER_CONNECTION = 1000;
const RENEWAL = '/grpc.tradeapi.v1.auth.AuthService/SubscribeJwtRenewal';
const KIB = 1024;

/** Figures of memory are of resident memory, some seconds after the last call. */
export async function memory(stage: Stage): Promise<Section[]> {
  const figures = {
    ...(await starts(stage)),
    ...(await keysHeld(stage)),
    ...(await streams(stage)),
  };
  return [{ part: 'memory', title: 'Start and memory', rows: [], figures }];
}

async function starts(stage: Stage): Promise<Section['figures']> {
  const fixture = await stage.fixture();
  const readyMs: number[] = [];
  const idleMib: number[] = [];
  for (let i = 0; i < stage.rounds(STARTS); i++) {
    const server = await stage.freshPropusk(fixture);
    readyMs.push(server.readyMs);
    await sleep(SETTLE_MS / 2);
    idleMib.push(server.residentMib());
    await server.stop();
  }
  return {
    'start to ready, ms (median)': median(readyMs),
    'start to ready, ms (slowest)': Math.max(...readyMs),
    'idle, MiB resident': median(idleMib),
  };
}

/** Asks about so many keys, each once: a server whose every call looks up a key is soon taken for overloaded. */
async function ask(stage: Stage, server: Running, keys: number): Promise<void> {
  const target = restDetails(server.port, tokensOf(await stage.fixture(), keys));
  const order = { serverPid: server.pid, target, shape: GENTLE, rampMs: 0, windowMs: 0 };
  await stage.load.closed({ ...order, answersMin: keys });
}

/** What is held of a key: its grant, and while it calls its counter and its token's claims. */
async function keysHeld(stage: Stage): Promise<Section['figures']> {
  const fixture = await stage.fixture();
  const server = await stage.freshPropusk(fixture);
  try {
    const held = Math.min(KEYS_HELD, fixture.keys);
    const resident: number[] = [];
    for (const keys of [held / 2, held, Math.min(KEYS_ASKED, fixture.keys)]) {
      await ask(stage, server, keys);
      await sleep(SETTLE_MS);
      resident.push(server.residentMib());
    }
    const [half = 0, whole = 0, beyond = 0] = resident;
    return {
      'KiB per key held': ((whole - half) * KIB) / (held / 2),
      [`MiB resident with ${held} keys held`]: whole,
      [`MiB resident after ${Math.min(KEYS_ASKED, fixture.keys)} keys`]: beyond,
    };
  } finally {
    await server.stop();
  }
}

/** Renewal streams, each of another key, after one connection's worth to run warm. */
async function streams(stage: Stage): Promise<Section['figures']> {
  const fixture = await stage.fixture();
  const server = await stage.freshPropusk(fixture);
  const sessions: http2.ClientHttp2Session[] = [];
  try {
    const connect = async (connection: number) => {
      const session = http2.connect(`http://127.0.0.1:${server.port}`);
      sessions.push(session);
      const all = Array.from({ length: STREAMS_PER_CONNECTION }, (_, i) =>
        openStream(session, secretOf((connection * STREAMS_PER_CONNECTION + i) % fixture.keys)),
      );
      await Promise.all(all);
    };
    await connect(0);
    await sleep(SETTLE_MS);
    const before = server.residentMib();
    for (let i = 1; i <= STREAMS / STREAMS_PER_CONNECTION; i++) await connect(i);
    await sleep(SETTLE_MS);
    return { 'KiB per open stream': ((server.residentMib() - before) * KIB) / STREAMS };
  } finally {
    for (const session of sessions) session.destroy();
    await server.stop();
  }
}

/** Resolves when the stream has its first token. */
function openStream(session: http2.ClientHttp2Session, secret: string): Promise<void> {
  const message = toBinary(
    SubscribeJwtRenewalRequestSchema,
    create(SubscribeJwtRenewalRequestSchema, { secret }),
  );
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': RENEWAL,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.once('data', () => resolve());
    stream.once('end', () => reject(new Error('a stream ended')));
    // When all is over the connection takes them along.
    stream.on('error', reject);
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
  });
}
