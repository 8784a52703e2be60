/**
 * Crowds and floods against a server in a process of its own: whatever they do, who honestly asks is
 * answered, memory stays within bounds, and in the end the server is rid of them.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Crowd } from '../hostile-crowd.ts';
import { type InChild, startDev } from '../start.ts';
import { until } from '../wait.ts';
import { type Fared, FLOODS, flood } from './floods.ts';

/** How long one honest call may take: far more than any does, and an end if one never ends. */
const CALL_MS_MAX = 60_000;
const PAUSE_MS = 10;
/** How long the server may take to be rid of a flood, on a machine that does more than this. */
const END_MS_MAX = 60_000;
/** How many connections flood at the same time. */
const FLOODING = 4;
/** For how long they do, coming back when they are cut. */
const FLOOD_MS = 1000;

/** Memory of a server, in MiB, and connections and other files that it has open. */
function usageOf({ child }: InChild): { residentMiB: number; files: number } {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return {
    residentMiB: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024,
    files: readdirSync(`/proc/${child.pid}/fd`).length,
  };
}

/** Asks for TokenDetails time and again, on one kept connection and on new ones in turn. */
class Honest implements AsyncDisposable {
  readonly #server: InChild;
  readonly #kept: http.Agent;
  #token = '';
  #asking: Promise<void> = Promise.resolve();
  #isOver = false;
  #answered = 0;
  /** The most memory that the server was seen to take, in MiB. */
  peakMiB = 0;

  private constructor(server: InChild) {
    this.#server = server;
    const { Agent } = server.url.startsWith('https') ? https : http;
    this.#kept = new Agent({ keepAlive: true, maxSockets: 1 });
  }

  static async of(server: InChild): Promise<Honest> {
    const honest = new Honest(server);
    const { token } = await honest.#post('/v1/sessions', { secret: server.secret });
    honest.#token = String(token);
    honest.#asking = honest.#ask();
    // Its failure is told where it is waited for.
    honest.#asking.catch(() => {});
    return honest;
  }

  /** Ends it. Rejects if a call was not answered, or answered wrongly; else how many there were. */
  async end(): Promise<number> {
    this.#isOver = true;
    await this.#asking;
    this.#kept.destroy();
    assert.ok(this.#answered > 0);
    return this.#answered;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#asking.catch(() => {});
    this.#kept.destroy();
  }

  async #ask(): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      const agent = i % 2 === 0 ? this.#kept : false;
      const details = await this.#post('/v1/sessions/details', { token: this.#token }, agent);
      assert.deepEqual(details.account_ids, ['1899011']);
      this.#answered++;
      this.peakMiB = Math.max(this.peakMiB, usageOf(this.#server).residentMiB);
      await sleep(PAUSE_MS);
    }
  }

  #post(
    path: string,
    body: object,
    agent: http.Agent | false = this.#kept,
  ): Promise<Record<string, unknown>> {
    const { request } = this.#server.url.startsWith('https') ? https : http;
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(CALL_MS_MAX);
      const options = { method: 'POST', agent, rejectUnauthorized: false, signal };
      const asked = request(this.#server.url + path, options, async (answer) => {
        const text = Buffer.concat(await answer.toArray().catch(() => [])).toString();
        if (answer.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`${path} was answered ${answer.statusCode}: ${text}`));
      });
      asked.on('error', (error) => {
        // A server may close a connection that rests just when it is used again: a client starts anew.
        if (asked.reusedSocket) resolve(this.#post(path, body, false));
        else reject(error);
      });
      asked.end(JSON.stringify(body));
    });
  }
}

function start(isTls: boolean, ...flags: string[]): Promise<InChild> {
  const own = ['--log-level', 'error', '--limit', '1000000000', ...(isTls ? ['--tls'] : [])];
  return startDev({ args: [...own, ...flags] });
}

/** A connection behind TLS costs its keys and buffers too: a quarter of the crowd is as heavy. */
const CROWDS = [
  { kind: 'plaintext', isTls: false, idle: 10_000, dribbling: 1000, residentMiBMax: 550 },
  { kind: 'TLS', isTls: true, idle: 2500, dribbling: 250, residentMiBMax: 550 },
];

test('a crowd that wants nothing takes nothing from others', { concurrency: true }, async (t) => {
  const crowds = CROWDS.map(({ kind, residentMiBMax, ...sizes }) =>
    t.test(kind, async () => {
      const size = sizes.idle + sizes.dribbling;
      const short = ['--sniff-ms-max', '--header-ms-max', '--request-ms-max', '--idle-ms-max'];
      const flags = short.flatMap((flag) => [flag, '10000']);
      await using server = await start(sizes.isTls, ...flags);
      await using honest = await Honest.of(server);
      const { files } = usageOf(server);
      const crowd = new Crowd({ port: server.port, comesBack: false, ...sizes });
      await crowd.gather();
      const most = crowd.open;
      await until('every one of them is cut', () => crowd.open === 0, 60_000);
      assert.equal(crowd.cut, size);
      await crowd.leave();
      const isClean = () => usageOf(server).files <= files + 2;
      await until('the server has closed them too', isClean, 10_000);
      const first = honest.peakMiB;
      const second = new Crowd({ port: server.port, comesBack: false, ...sizes });
      await second.gather();
      await second.leave();
      await until('the server has closed these too', isClean, 10_000);
      const answered = await honest.end();
      process.stdout.write(
        `crowd, ${kind}: ${most} of ${size} open at once, ${answered} honest calls answered, ` +
          `at most ${first.toFixed(0)} MiB, ${honest.peakMiB.toFixed(0)} MiB with a second crowd\n`,
      );
      assert.ok(first < residentMiBMax, `${first} MiB`);
      assert.ok(honest.peakMiB < first * 1.5, `${honest.peakMiB} MiB after ${first} MiB`);
    }),
  );
  await Promise.all(crowds);
});

test('a flood is cut or borne', { concurrency: true }, async (t) => {
  const kinds = ['plaintext', 'TLS'].map((kind) =>
    t.test(kind, async (t) => {
      const isTls = kind === 'TLS';
      await using server = await start(isTls, '--idle-ms-max', '2000');
      for (const [name, what] of Object.entries(FLOODS)) {
        await t.test(name, async () => {
          await using honest = await Honest.of(server);
          const sendMs = what.mustBeCut ? END_MS_MAX : FLOOD_MS;
          const target = { port: server.port, isTls, sendMs, endMsMax: END_MS_MAX };
          const stopAt = performance.now() + FLOOD_MS;
          const again = async () => {
            const fared: Fared[] = [];
            while (performance.now() < stopAt) fared.push(await flood(what, target));
            return fared;
          };
          const fared = (await Promise.all(Array.from({ length: FLOODING }, again))).flat();
          const answered = await honest.end();
          const bytes = fared.reduce((sum, each) => sum + each.bytes, 0);
          const cut = fared.filter(({ isCut }) => isCut).length;
          process.stdout.write(
            `flood, ${kind}, ${name}: ${(bytes / 2 ** 20).toFixed(1)} MiB on ${fared.length} ` +
              `connections, ${cut} cut, ${fared.length - cut} ended when they rested; ` +
              `${answered} honest calls answered, at most ${honest.peakMiB.toFixed(0)} MiB\n`,
          );
          if (what.mustBeCut) assert.equal(cut, fared.length);
          assert.ok(honest.peakMiB < 550, `${honest.peakMiB} MiB`);
        });
      }
    }),
  );
  await Promise.all(kinds);
});

/** Opens so many connections from an address; the server may close some of them at once. */
async function connectAll(port: number, localAddress: string, count: number) {
  const sockets = Array.from({ length: count }, () =>
    net.connect({ port, host: '127.0.0.1', localAddress }).on('error', () => {}),
  );
  await Promise.all(
    sockets.map((socket) => {
      const closed = new Promise((resolve) => socket.once('close', resolve));
      return Promise.race([once(socket.resume(), 'connect'), closed]).catch(() => closed);
    }),
  );
  return sockets;
}

function stillOpen(sockets: readonly net.Socket[]): net.Socket[] {
  return sockets.filter((socket) => !socket.closed);
}

test('the limits of connections hold to the last one', { concurrency: true }, async (t) => {
  const kinds = ['plaintext', 'TLS'].map((kind) =>
    t.test(kind, async () => {
      const limits = ['--connections-max', '50', '--connections-per-address-max', '20'];
      await using server = await start(kind === 'TLS', ...limits, '--sniff-ms-max', '60000');
      const settled = (sockets: readonly net.Socket[], count: number) =>
        until(`${count} left`, () => stillOpen(sockets).length === count);
      const one = await connectAll(server.port, '127.0.0.2', 30);
      await settled(one, 20);
      const two = await connectAll(server.port, '127.0.0.3', 30);
      await settled(two, 20);
      const three = await connectAll(server.port, '127.0.0.4', 15);
      await settled(three, 10);
      assert.deepEqual(
        [one, two, three].map((sockets) => stillOpen(sockets).length),
        [20, 20, 10],
      );
      const { files } = usageOf(server);
      // One that leaves makes room for one, of its own address and in all.
      stillOpen(one)[0]?.destroy();
      await until('there is room', () => usageOf(server).files < files);
      const more = await connectAll(server.port, '127.0.0.2', 3);
      await settled(more, 1);
      for (const socket of [...one, ...two, ...three, ...more]) socket.destroy();
      await until('there is room for others', () => usageOf(server).files < files - 40);
      await using honest = await Honest.of(server);
      await honest.end();
    }),
  );
  await Promise.all(kinds);
});
