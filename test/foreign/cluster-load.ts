/**
 * People who call all nodes of a cluster, each time another one: they sign in, look at tokens, end sessions
 * and keys, and place orders. What is UNAVAILABLE they try again; what they are told is in the books.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { AuthService } from '../../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { AccessService } from '../../src/gen/propusk/access/v1/access_service_pb.js';
import { KeyService } from '../../src/gen/propusk/admin/v1/key_service_pb.js';
import { SessionService } from '../../src/gen/propusk/admin/v1/session_service_pb.js';
import { CallFailure, type Client } from '../clients/client.ts';
import { LIMIT_ORDER, METHODS } from '../orders.ts';
import { unique } from '../start.ts';
import { claimsOf } from '../steps.ts';
import { until } from '../wait.ts';
import { ATTEMPT_MS_MAX, type Cluster, type ClusterKey, type ClusterNode } from './cluster.ts';
import { Books, KINDS, type Session } from './cluster-books.ts';

/** How many do the same, and how long each rests after a call: some 110 calls a second in all. */
const CALLERS = {
  signIn: { count: 4, restMs: 150 },
  askGood: { count: 6, restMs: 150 },
  askEnded: { count: 6, restMs: 150 },
  endSession: { count: 2, restMs: 400 },
  endKey: { count: 1, restMs: 800 },
  order: { count: 2, restMs: 600 },
};
type Caller = keyof typeof CALLERS;
/** Between two attempts; growing, and scattered. */
const BACKOFF_MS = { first: 50, most: 500 };
/** By then some attempt was to be answered, whatever fault a test makes. */
const CALL_MS_MAX = 60_000;
/** Keys that can be ended: one after the other, for as long as a test may take. */
const KEYS_TO_END = 100;
/** Of the ended, those whose end was asked for last are asked about. */
const ENDED_ASKED = 30;
const ALIVE_ASKED = 300;
/** CallFailure codes. */
const TRANSIENT: readonly number[] = [14, 4];

/** Ends with the test that made it, whatever becomes of the test. */
export class ClusterLoad implements AsyncDisposable {
  readonly books = new Books();
  readonly #cluster: Cluster;
  readonly #keys: readonly ClusterKey[];
  readonly #keysToEnd: ClusterKey[];
  readonly #alive: Session[] = [];
  readonly #ended: Session[] = [];
  #callers: Promise<void>[] = [];
  #isOver = false;
  /** Nobody wants the answers any more. */
  #isGivenUp = false;

  private constructor(
    cluster: Cluster,
    keys: readonly ClusterKey[],
    keysToEnd: readonly ClusterKey[],
  ) {
    this.#cluster = cluster;
    this.#keys = keys;
    this.#keysToEnd = [...keysToEnd];
  }

  /** @param kinds of callers that there are */
  static async start(
    cluster: Cluster,
    kinds = Object.keys(CALLERS) as readonly Caller[],
  ): Promise<ClusterLoad> {
    const keys = await cluster.newKeys(CALLERS.order.count);
    const load = new ClusterLoad(cluster, keys, await cluster.newKeys(KEYS_TO_END));
    const traders = await Promise.all(keys.map((key) => load.#signIn(key)));
    const repeat = (what: Caller, call: (caller: number) => Promise<unknown>) => {
      const { count, restMs } = CALLERS[what];
      if (!kinds.includes(what)) return;
      for (let i = 0; i < count; i++) load.#callers.push(load.#repeat(() => call(i), restMs));
    };
    repeat('signIn', () => load.#signInToAsk());
    repeat('askGood', () => load.#ask('good tokens', anyOf(load.#alive.slice(-ALIVE_ASKED))));
    repeat('askEnded', () => load.#ask('ended tokens', anyOf(load.#ended.slice(-ENDED_ASKED))));
    repeat('endSession', () => load.#endSession());
    repeat('endKey', () => load.#endKey());
    repeat('order', (caller) => load.#order(traders[caller]));
    return load;
  }

  /** Resolves when calls of each kind were answered so many times from now on. */
  async goesOn(times = 5): Promise<void> {
    const before = { ...this.books.counts };
    const grown = (kind: string) => (this.books.counts[kind] ?? 0) - (before[kind] ?? 0);
    await until(
      'calls of each kind',
      () => KINDS.every((kind) => grown(kind) >= times),
      CALL_MS_MAX,
    );
  }

  /** Resolves with the books when all calls under way are answered. */
  async end(): Promise<Books> {
    this.#isOver = true;
    await Promise.all(this.#callers);
    return this.books;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isGivenUp = true;
    await this.end();
  }

  async #repeat(call: () => Promise<unknown>, restMs: number): Promise<void> {
    while (!this.#isOver) {
      await call().catch((error) => this.books.failures.push(String(error.stack)));
      await sleep(restMs * (0.5 + Math.random()));
    }
  }

  /** Asks one node after the other until one answers; undefined when the call has failed for good. */
  async #answered<T>(
    kind: string,
    ask: (node: ClusterNode, isFirst: boolean) => Promise<T>,
  ): Promise<T | undefined> {
    const { nodes } = this.#cluster;
    const first = Math.floor(Math.random() * nodes.length);
    const beganAtMs = performance.now();
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await ask(nodes[(first + attempt) % nodes.length] as ClusterNode, !attempt);
        this.books.count(kind);
        return answer;
      } catch (error) {
        if (!(error instanceof CallFailure)) throw error;
        const isOver = performance.now() - beganAtMs > CALL_MS_MAX || this.#isGivenUp;
        if (isOver || !TRANSIENT.includes(error.code)) {
          this.books.failures.push(`${kind}: ${error.code} ${error.reason} ${error.message}`);
          return undefined;
        }
        this.books.retries += 1;
        const mostMs = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** attempt);
        await sleep(mostMs * (0.5 + Math.random() / 2));
      }
    }
  }

  async #signIn({ id, secret }: ClusterKey): Promise<Session | undefined> {
    const token = await this.#answered('sign-ins', async ({ outside }) => {
      return (await send(outside, AuthService.method.auth, { secret })).token;
    });
    if (token === undefined) return undefined;
    const session = { jti: claimsOf(token).jti, token, keyId: id };
    this.books.sessions.push(session);
    return session;
  }

  async #signInToAsk(): Promise<void> {
    const session = await this.#signIn(anyOf(this.#keys) as ClusterKey);
    if (session !== undefined) this.#alive.push(session);
  }

  async #ask(kind: string, session: Session | undefined): Promise<void> {
    if (session === undefined) return;
    const isGood = Math.random() < 0.5 ? this.#hasDetails : this.#isAllowed;
    await this.#answered(kind, async (node) => {
      const beganAtMs = performance.now();
      if (await isGood.call(this, node, session)) this.books.accepted(session, node, beganAtMs);
      else this.books.refused(session, node);
    });
  }

  #hasDetails(node: ClusterNode, { token }: Session): Promise<boolean> {
    return node.isGood(token, { timeoutMs: ATTEMPT_MS_MAX });
  }

  async #isAllowed({ inside }: ClusterNode, { token }: Session): Promise<boolean> {
    const { service } = this.#cluster;
    const answer = await send(inside, AccessService.method.check, { token }, service);
    if (!answer.allowed) assert.match(answer.refusal, /^(SESSION|KEY)_REVOKED$/);
    return answer.allowed;
  }

  async #endSession(): Promise<void> {
    const [session] = this.#alive.splice(Math.floor(Math.random() * this.#alive.length), 1);
    if (session === undefined) return;
    const { operator } = this.#cluster;
    await this.#end(session, ({ inside }) =>
      send(inside, SessionService.method.revokeSession, { id: session.jti }, operator),
    );
  }

  async #endKey(): Promise<void> {
    const key = this.#keysToEnd.shift();
    const session = key && (await this.#signIn(key));
    if (session === undefined) return;
    const { operator } = this.#cluster;
    await this.#ask('good tokens', session);
    await this.#end(session, ({ inside }) =>
      send(inside, KeyService.method.revokeKey, { id: session.keyId }, operator),
    );
  }

  async #end(session: Session, revoke: (node: ClusterNode) => Promise<unknown>): Promise<void> {
    const end: Session['end'] = { refusedAtMs: new Map() };
    session.end = end;
    this.#ended.push(session);
    await this.#answered('ends', async (node, isFirst) => {
      await revoke(node);
      // One that is asked again may find it done by another of which it still has to hear.
      if (isFirst) end.by = node;
      end.answeredAtMs = performance.now();
    });
  }

  /** Places one at a node, and looks for it at others. */
  async #order(session: Session | undefined): Promise<void> {
    const accountId = this.#keys.find(({ id }) => id === session?.keyId)?.accountId;
    if (session === undefined || accountId === undefined) return;
    const { token } = session;
    const clientOrderId = unique();
    const order = { ...LIMIT_ORDER, accountId, clientOrderId };
    const placed = await this.#answered('orders', ({ outside }) =>
      send(outside, METHODS.placeOrder, order, token),
    );
    if (placed === undefined) return;
    const { orderId } = placed;
    this.books.orders.set(clientOrderId, orderId);
    await this.#answered('orders found', ({ outside }) =>
      send(outside, METHODS.getOrder, { accountId, orderId }, token),
    );
  }
}

/**
 * Does something to a cluster under load, then sees that all nodes serve again by themselves, that the
 * calls go on, and that nothing which was answered is lost.
 */
export async function underLoad(
  t: TestContext,
  cluster: Cluster,
  act: (load: ClusterLoad) => Promise<unknown>,
): Promise<Books> {
  await using load = await ClusterLoad.start(cluster);
  await load.goesOn();
  await act(load);
  await cluster.allServe();
  await load.goesOn();
  const books = await load.end();
  t.diagnostic(books.told);
  await books.verify(cluster);
  return books;
}

async function send<M extends DescMethodUnary>(
  client: Client,
  method: M,
  input: MessageInitShape<M['input']>,
  authorization?: string,
): Promise<MessageShape<M['output']>> {
  const metadata = authorization === undefined ? {} : { authorization };
  return (await client.call(method, input, { metadata, timeoutMs: ATTEMPT_MS_MAX })).message;
}

function anyOf<T>(values: readonly T[]): T | undefined {
  return values[Math.floor(Math.random() * values.length)];
}
