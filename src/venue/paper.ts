/**
 * The paper venue: it trades at the prices that it is given, and at no others.
 *
 * - A symbol has no price until one is set, and after a restart none until one is set again. Orders
 *   without a price stand as NEW.
 * - What fills is filled whole, at the price given; of several orders the one placed first is first.
 *   A limit order never gets a worse price than its limit, and may get a better one.
 * - A stop whose price is reached becomes a market or a limit order in the same moment.
 * - IOC and FOK orders that are not filled at once are cancelled at once, whole.
 * - There is one trading day, from midnight to midnight in Moscow, without sessions. EXT and
 *   GOOD_TILL_CROSSING orders are orders for the day. ON_OPEN and ON_CLOSE orders wait for an auction
 *   that never comes. All of these expire when the day ends.
 * - Multi-leg orders are taken, and stand: one symbol's price says nothing about several legs.
 *
 * Operations that arrive together are one round, with one commit; each is answered when that is
 * durable. Where nobody knows whether a commit happened, the next round asks the store first.
 */
import type { Clock, Random } from '../domain/clock.ts';
import { DECIMAL_RULE, parseDecimal } from '../domain/decimal.ts';
import { AppError, type FieldViolation, refuseFields } from '../domain/errors.ts';
import type { Order, OrderState } from '../domain/order.ts';
import { isSymbol, SYMBOL_RULE } from '../domain/symbol.ts';
import type { Store } from '../store/store.ts';
import { Book } from './book.ts';
import { type BookLimits, Round } from './round.ts';
import type { Simulation, Venue } from './venue.ts';

const LIMITS: BookLimits = {
  // All of an account's orders are told in one answer, 500 final ones with them, and gRPC clients take
  // 4 MiB as they come: an order with all that it may carry has 2.3 KB.
  accountOpenOrdersMax: 1_000,
  openOrdersMax: 20_000,
  pricesMax: 10_000,
};
/** Operations in one round; it bounds how long the first one waits for the last. */
const ROUND_OPERATIONS_MAX = 512;
/** Operations accepted and not yet in a round. */
const WAITING_OPERATIONS_MAX = 8_192;
/** How often the venue looks whether a day has ended, when nothing else happens. */
const DAY_CHECK_EVERY_MS = 1_000;

export interface PaperVenueOptions extends Partial<BookLimits> {
  readonly store: Store;
  readonly clock: Clock;
  /** For the ids of orders, of what happens to them, and of trades. */
  readonly random: Random;
  readonly dayCheckEveryMs?: number;
}

/** What is to be done in a round, and what the store knows about it before. */
interface Operation<R> {
  readonly look: () => Promise<OrderState | undefined>;
  readonly apply: (round: Round, recorded: OrderState | undefined) => R;
}

interface Pending {
  readonly operation: Operation<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome = { readonly result: unknown } | { readonly refusal: AppError };

export class PaperVenue implements Venue, Simulation {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: BookLimits;
  readonly #book: Book;
  readonly #dayCheck: NodeJS.Timeout;
  readonly #waiting: Pending[] = [];
  /** Resolves when nothing waits; undefined when nothing does. */
  #drained: Promise<void> | undefined;
  /** A round that may or may not have been recorded. */
  #doubted: Round | undefined;
  #closed = false;

  private constructor(options: PaperVenueOptions, book: Book) {
    const { store, clock, random, dayCheckEveryMs = DAY_CHECK_EVERY_MS, ...limits } = options;
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#limits = { ...LIMITS, ...limits };
    this.#book = book;
    // The wall clock decides, at each look: a timer of its own would sleep with the machine.
    this.#dayCheck = setInterval(() => this.#checkDay(), dayCheckEveryMs).unref();
  }

  /** Takes up the open orders where they were left; those whose day has ended since expire. */
  static async open(options: PaperVenueOptions): Promise<PaperVenue> {
    const venue = new PaperVenue(options, new Book(await options.store.openOrders()));
    try {
      await venue.#expire();
    } catch (error) {
      await venue.close();
      throw error;
    }
    return venue;
  }

  place(order: Order): Promise<OrderState> {
    return this.#submit({
      look: () => this.#store.placedOrder(order.accountId, order.clientOrderId),
      apply: (round, recorded) => round.place(order, recorded),
    });
  }

  cancel(accountId: string, orderId: string): Promise<OrderState> {
    return this.#submit({
      look: async () =>
        this.#book.order(orderId) ? undefined : this.#store.order(accountId, orderId),
      apply: (round, recorded) => round.cancel(accountId, orderId, recorded),
    });
  }

  async setPrice(symbol: string, price: string): Promise<void> {
    const violations: FieldViolation[] = [];
    if (!isSymbol(symbol)) violations.push({ field: 'symbol', description: SYMBOL_RULE });
    const exact = parseDecimal(price);
    if (exact === undefined) violations.push({ field: 'price', description: DECIMAL_RULE });
    if (violations.length > 0 || exact === undefined) throw refuseFields(violations);
    await this.#submit({
      look: async () => undefined,
      apply: (round) => round.setPrice(symbol, exact),
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#dayCheck);
    await this.#drained;
  }

  /** A round withdraws what has expired before it does anything else. */
  #expire(): Promise<void> {
    return this.#submit({ look: async () => undefined, apply: () => undefined });
  }

  #checkDay(): void {
    const isDue = this.#book.due(this.#clock.now()).length > 0;
    // What cannot be recorded now is tried again at the next look.
    if (isDue && this.#drained === undefined) this.#expire().catch(() => {});
  }

  #submit<R>(operation: Operation<R>): Promise<R> {
    if (this.#closed) return Promise.reject(new AppError('UNAVAILABLE', 'the venue is closed'));
    if (this.#waiting.length >= WAITING_OPERATIONS_MAX) {
      const message = `${WAITING_OPERATIONS_MAX} operations are waiting for the venue already`;
      return Promise.reject(new AppError('UNAVAILABLE', message));
    }
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.push({ operation, resolve, reject });
      this.#drained ??= this.#drain();
      // Each operation is answered with its own kind of result.
    }) as Promise<R>;
  }

  async #drain(): Promise<void> {
    // A turn's wait, so that what arrives together shares already the first round.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) await this.#do(this.#waiting.splice(0, ROUND_OPERATIONS_MAX));
    this.#drained = undefined;
  }

  /** Does a round and answers its operations, refusals too: they may rest on what it records. */
  async #do(batch: readonly Pending[]): Promise<void> {
    try {
      await this.#resolveDoubt();
      const known = await Promise.all(batch.map(({ operation }) => operation.look()));
      const round = this.#newRound();
      round.expire();
      const outcomes = batch.map(({ operation }, i) => outcomeOf(operation, round, known[i]));
      await this.#commit(round);
      for (const [i, outcome] of outcomes.entries()) {
        if ('refusal' in outcome) batch[i]?.reject(outcome.refusal);
        else batch[i]?.resolve(outcome.result);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  #newRound(): Round {
    return new Round({
      book: this.#book,
      limits: this.#limits,
      random: this.#random,
      nowMs: this.#clock.now(),
    });
  }

  async #commit(round: Round): Promise<void> {
    if (round.changes.length > 0) {
      try {
        await this.#store.recordOrders(round.changes, round.trades);
      } catch (error) {
        this.#doubted = round;
        throw asUnavailable(error);
      }
    }
    this.#book.apply(round);
  }

  /** A round is recorded whole or not at all: its last change tells which. */
  async #resolveDoubt(): Promise<void> {
    const last = this.#doubted?.changes.at(-1);
    if (this.#doubted === undefined || last === undefined) return;
    const recorded = await this.#store.order(last.order.accountId, last.orderId);
    if (recorded?.execId === last.execId) this.#book.apply(this.#doubted);
    this.#doubted = undefined;
  }
}

function outcomeOf(
  operation: Operation<unknown>,
  round: Round,
  recorded: OrderState | undefined,
): Outcome {
  try {
    return { result: operation.apply(round, recorded) };
  } catch (error) {
    if (error instanceof AppError) return { refusal: error };
    throw error;
  }
}

/** One order's refusal by the store says nothing to the others of its round. */
function asUnavailable(error: unknown): unknown {
  if (!(error instanceof AppError) || error.reason !== 'CLIENT_ORDER_ID_TAKEN') return error;
  return new AppError('UNAVAILABLE', 'the orders could not be recorded; try again', {
    cause: error,
  });
}
