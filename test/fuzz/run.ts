/** Runs inputs of a seed against one server, and tells what they did to it. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Http1Carrier } from './carry-http1.ts';
import { Http2Carrier } from './carry-http2.ts';
import { RawCarrier } from './carry-raw.ts';
import { type Input, inputOf } from './input.ts';
import type { Outcome } from './job.ts';
import { Ledger } from './ledger.ts';
import { FuzzedServer } from './server.ts';
import type { Holdings } from './server-process.ts';
import { TOKEN_MARK } from './values.ts';

export interface Report {
  readonly seed: number;
  readonly count: number;
  readonly seconds: number;
  readonly ledger: Ledger;
  /** What the server held at rest after each half. */
  readonly halves: readonly Holdings[];
  /** Lines that it logged. */
  readonly lines: number;
}

export interface RunOptions {
  readonly seed: number;
  /** Numbers of the inputs. */
  readonly indexes: Iterable<number>;
  /** How many they are. */
  readonly count: number;
  /** Hears now and then how many inputs have been sent. */
  readonly onProgress?: (sent: number) => void;
  /** Hears what became of every input; for replays. */
  readonly onOver?: (input: Input, outcome: Outcome) => void;
}

/** How long inputs that are under way may take to end, in milliseconds. */
const IDLE_MS_MAX = 60_000;
const PROGRESS_EVERY = 100_000;
/** After so many inputs a turn is made, so that what comes back is read meanwhile. */
const TURN_EVERY = 64;
const MARK = Buffer.from(TOKEN_MARK);

/** Puts the genuine token where its mark is. */
function withToken(bytes: Buffer, token: Buffer): Buffer {
  for (let at = bytes.indexOf(MARK); at !== -1; at = bytes.indexOf(MARK, at)) token.copy(bytes, at);
  return bytes;
}

/** What carries inputs to one server. */
class Carriers {
  readonly #server: FuzzedServer;
  readonly #ledger: Ledger;
  readonly #http1: Http1Carrier;
  readonly #http2: Http2Carrier;
  readonly #raw: RawCarrier;

  constructor(server: FuzzedServer, ledger: Ledger) {
    this.#server = server;
    this.#ledger = ledger;
    this.#http1 = new Http1Carrier(server.port, ledger);
    this.#http2 = new Http2Carrier(server.port, ledger);
    this.#raw = new RawCarrier(server.port, ledger);
  }

  /** Resolves when there is room for the next. */
  async send(input: Input): Promise<void> {
    const { token } = this.#server;
    switch (input.carrier) {
      case 'none':
        return this.#ledger.run(input);
      case 'http1':
        return this.#http1.send(input, withToken(input.bytes, token));
      case 'http2':
        return this.#http2.send(input, (stream) =>
          input.frames(stream).map((frame) => withToken(frame, token)),
        );
      default:
        return this.#raw.send(
          input,
          input.pieces.map((piece) => withToken(piece, token)),
        );
    }
  }

  /** Resolves when nothing is under way any more, and every connection is closed. */
  async end(): Promise<void> {
    const giveUpAt = performance.now() + IDLE_MS_MAX;
    while (this.underWay.length > 0 && performance.now() < giveUpAt) await sleep(20);
    const left = this.underWay;
    if (left.length > 0) this.#ledger.report({ what: `inputs without an end: ${left.join()}` });
    this.close();
  }

  /** The numbers of the inputs that nothing has become of yet. */
  get underWay(): number[] {
    return [this.#http1, this.#http2, this.#raw].flatMap((carrier) => carrier.underWay);
  }

  close(): void {
    for (const carrier of [this.#http1, this.#http2, this.#raw]) carrier.close();
  }
}

/** Sends the inputs, in halves with a rest after each, and sums up. */
export async function fuzz(options: RunOptions): Promise<Report> {
  const { seed, count, indexes, onProgress, onOver } = options;
  const ledger = new Ledger(onOver);
  await using server = await FuzzedServer.start(ledger.report);
  await server.note();
  const halves: Holdings[] = [];
  const rest = async (carriers: Carriers) => {
    await Promise.race([carriers.end(), server.gone]);
    if (server.isGone) return;
    const { holdings, leaks } = await server.settled();
    for (const what of leaks) ledger.report({ what });
    halves.push(holdings);
    await server.signIn().catch((cause) => ledger.report({ what: `no sign-in: ${cause}` }));
  };
  const startedAt = performance.now();
  let carriers = new Carriers(server, ledger);
  let sent = 0;
  server.onExit = (how) => {
    const what = `the process ended, ${how}; one of these did it: ${carriers.underWay.join(' ')}`;
    ledger.report({ what });
    carriers.close();
  };
  for (const index of indexes) {
    await Promise.race([carriers.send(inputOf(seed, index)), server.gone]);
    if (server.isGone) break;
    sent++;
    if (sent % PROGRESS_EVERY === 0) onProgress?.(sent);
    if (sent % TURN_EVERY === 0) await new Promise(setImmediate);
    if (sent === count >> 1) {
      await rest(carriers);
      carriers = new Carriers(server, ledger);
    }
  }
  await rest(carriers);
  const seconds = (performance.now() - startedAt) / 1000;
  return { seed, count: sent, seconds, ledger, halves, lines: server.lines };
}

/** Throws when anything was found; tells how to see it again. */
export function assertNothingFound({ seed, ledger }: Report): void {
  const found = [...ledger.findings.values()].map(({ first: { index, what }, count }) => {
    const again =
      index === undefined ? '' : `: node scripts/node.js test/fuzz/replay.ts ${seed} ${index}`;
    return `${count} times${again}\n${what}`;
  });
  assert.deepEqual(found, []);
}
