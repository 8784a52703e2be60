/**
 * The paper venue: it trades at the prices that it is given, and at no others.
 *
 * - A symbol has no price until one is set, and that one until another is set, also after a restart.
 *   Orders without a price stand as NEW.
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
 * durable. Venues of several nodes may share one store: a round is recorded only if nothing was since
 * what its book knows. If something was, by another venue or by a commit whose end nobody heard of, the
 * book takes it up and the round is done again. Refusals too rest on all that was recorded.
 */
import type { Clock, Random } from '../domain/clock.ts';
import { DECIMAL_RULE, parseDecimal } from '../domain/decimal.ts';
import { AppError, type FieldViolation, refuseFields } from '../domain/errors.ts';
import type { Order, OrderState } from '../domain/order.ts';
import { isSymbol, SYMBOL_RULE } from '../domain/symbol.ts';
import type { Store } from '../store/store.ts';
import { type Book, orderKey } from './book.ts';
import { catchUp, readBook } from './catch-up.ts';
import { endOfDayMs } from './day.ts';
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
/** How often a round is done in vain, because others recorded theirs first. */
const ATTEMPTS_MAX = 100;
/** How often the venue looks whether a day has ended, when nothing else happens. */
const DAY_CHECK_EVERY_MS = 1_000;

export interface PaperVenueOptions extends Partial<BookLimits> {
  readonly store: Store;
  readonly clock: Clock;
  /** For the ids of orders, of what happens to them, and of trades. */
  readonly random: Random;
  readonly dayCheckEveryMs?: number;
}

/** What is to be done in a round. */
interface Operation<R> {
  /** What it has to know of the store: about the order with this id or orderKey. */
  readonly look?: { readonly key: string; read(): Promise<OrderState | undefined> };
  readonly apply: (round: Round, recorded: OrderState | undefined) => R;
}

interface Pending {
  readonly operation: Operation<unknown>;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome = { readonly result: unknown } | { readonly refusal: unknown };

export class PaperVenue implements Venue, Simulation {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: BookLimits;
  #book: Book;
  readonly #dayCheck: NodeJS.Timeout;
  readonly #waiting: Pending[] = [];
  /** Resolves when nothing waits; undefined when nothing does. */
  #drained: Promise<void> | undefined;
  /** The end of the day of the newest look whether orders expire. */
  #dayEndMs = 0;
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
    const venue = new PaperVenue(options, await readBook(options.store));
    try {
      await venue.#expire();
    } catch (error) {
      await venue.close();
      throw error;
    }
    return venue;
  }

  place(order: Order, signal?: AbortSignal): Promise<OrderState> {
    const operation: Operation<OrderState> = {
      look: {
        key: orderKey(order),
        read: () => this.#store.placedOrder(order.accountId, order.clientOrderId),
      },
      apply: (round, recorded) => round.place(order, recorded),
    };
    return this.#submit(operation, signal);
  }

  cancel(accountId: string, orderId: string, signal?: AbortSignal): Promise<OrderState> {
    const operation: Operation<OrderState> = {
      look: {
        key: orderId,
        read: async () =>
          this.#book.order(orderId) ? undefined : this.#store.order(accountId, orderId),
      },
      apply: (round, recorded) => round.cancel(accountId, orderId, recorded),
    };
    return this.#submit(operation, signal);
  }

  async setPrice(symbol: string, price: string): Promise<void> {
    const violations: FieldViolation[] = [];
    if (!isSymbol(symbol)) violations.push({ field: 'symbol', description: SYMBOL_RULE });
    const exact = parseDecimal(price);
    if (exact === undefined) violations.push({ field: 'price', description: DECIMAL_RULE });
    if (violations.length > 0 || exact === undefined) throw refuseFields(violations);
    await this.#submit({ apply: (round) => round.setPrice(symbol, exact) });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#dayCheck);
    await this.#drained;
  }

  /** A round withdraws what has expired before it does anything else. */
  async #expire(): Promise<void> {
    const dayEndMs = endOfDayMs(this.#clock.now());
    await this.#submit({ apply: () => undefined });
    this.#dayEndMs = dayEndMs;
  }

  #checkDay(): void {
    const nowMs = this.#clock.now();
    // With the day, orders end that this book has not heard of, whose venue may be gone.
    const isDue = this.#book.due(nowMs).length > 0 || endOfDayMs(nowMs) !== this.#dayEndMs;
    // What cannot be recorded now is tried again at the next look.
    if (isDue && this.#drained === undefined) this.#expire().catch(() => {});
  }

  #submit<R>(operation: Operation<R>, signal?: AbortSignal): Promise<R> {
    if (this.#closed) return Promise.reject(new AppError('UNAVAILABLE', 'the venue is closed'));
    if (this.#waiting.length >= WAITING_OPERATIONS_MAX) {
      const message = `${WAITING_OPERATIONS_MAX} operations are waiting for the venue already`;
      return Promise.reject(new AppError('UNAVAILABLE', message));
    }
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.push({ operation, signal, resolve, reject });
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
      for (const [i, outcome] of (await this.#settle(batch)).entries()) {
        if ('refusal' in outcome) batch[i]?.reject(outcome.refusal);
        else batch[i]?.resolve(outcome.result);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  /** Does a round until it rests on all that is recorded. */
  async #settle(batch: readonly Pending[]): Promise<Outcome[]> {
    const known: (OrderState | undefined)[] = [];
    let mustLook = (_key: string): boolean => true;
    for (let i = 0; i < ATTEMPTS_MAX; i++) {
      await Promise.all(
        batch.map(async ({ operation: { look } }, at) => {
          if (look !== undefined && mustLook(look.key)) known[at] = await look.read();
        }),
      );
      const round = this.#newRound();
      round.expire();
      const outcomes = batch.map((pending, at) => outcomeOf(pending, round, known[at]));
      if (await this.#commit(round)) return outcomes;
      const news = await catchUp(this.#store, this.#book);
      this.#book = news.book;
      mustLook = news.isAbout;
    }
    throw new AppError('UNAVAILABLE', 'other nodes were first each time; try again');
  }

  #newRound(): Round {
    return new Round({
      book: this.#book,
      limits: this.#limits,
      random: this.#random,
      nowMs: this.#clock.now(),
    });
  }

  /**
   * False, and nothing is recorded, when the book does not know all that is. Where it rejects, nobody
   * knows: the book stays as it is, and behind if it was recorded.
   */
  async #commit(round: Round): Promise<boolean> {
    const { position } = this.#book;
    if (round.isEmpty) {
      const { change, price } = await this.#store.venuePosition();
      return change === position.change && price === position.price;
    }
    const { changes, trades, prices } = round;
    const reached = await this.#store.recordOrders(changes, trades, prices, position);
    if (reached !== undefined) this.#book.apply(round, reached);
    return reached !== undefined;
  }
}

/** What nobody waits for any more is not begun. */
function outcomeOf(
  { operation, signal }: Pending,
  round: Round,
  recorded: OrderState | undefined,
): Outcome {
  if (signal?.aborted) return { refusal: signal.reason };
  try {
    return { result: operation.apply(round, recorded) };
  } catch (error) {
    if (error instanceof AppError) return { refusal: error };
    throw error;
  }
}
