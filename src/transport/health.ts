/** grpc.health.v1: tells load balancers and clients whether this server takes calls. */
import { create } from '@bufbuild/protobuf';
import { AppError } from '../domain/errors.ts';
import {
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  Health as HealthService,
  HealthCheckResponse_ServingStatus as Status,
} from '../gen/health/v1/health_pb.js';
import { type Call, type Registration, register } from '../pipeline/call.ts';

/** The name that stands for the server as a whole. */
const WHOLE_SERVER = '';

/** The health of one server, whose services are up and down together. */
export class Health {
  /** What answers grpc.health.v1.Health. */
  readonly registration: Registration;
  readonly #names: ReadonlySet<string>;
  /** One for each Watch under way; wakes it. */
  readonly #watchers = new Set<() => void>();
  #isServing = false;

  /** @param serviceNames full names, such as `grpc.tradeapi.v1.auth.AuthService` */
  constructor(serviceNames: Iterable<string>) {
    this.#names = new Set([WHOLE_SERVER, ...serviceNames]);
    this.registration = register(HealthService, {
      check: ({ service }) => this.#check(service),
      list: () => create(HealthListResponseSchema, { statuses: this.#all() }),
      // Nothing is kept of a name for as long as somebody watches: anyone may send one.
      watch: ({ service }, call) => this.#watch(this.#names.has(service), call),
    });
  }

  /** How many Watch calls are under way. */
  get watcherCount(): number {
    return this.#watchers.size;
  }

  /** Says that calls are taken, or no longer; NOT_SERVING until it is first called. */
  setServing(isServing: boolean): void {
    this.#isServing = isServing;
    for (const wake of this.#watchers) wake();
  }

  #statusOf(isKnown: boolean): Status {
    if (!isKnown) return Status.SERVICE_UNKNOWN;
    return this.#isServing ? Status.SERVING : Status.NOT_SERVING;
  }

  #check(service: string): HealthCheckResponse {
    const status = this.#statusOf(this.#names.has(service));
    if (status === Status.SERVICE_UNKNOWN) {
      throw new AppError('ROUTE_NOT_FOUND', 'this server has no such service');
    }
    return create(HealthCheckResponseSchema, { status });
  }

  #all(): Record<string, HealthCheckResponse> {
    const names = [...this.#names];
    return Object.fromEntries(names.map((name) => [name, this.#check(name)]));
  }

  /**
   * A watcher that is slow to read gets the newest status, not every one in between: what it has
   * not read yet is not kept for it.
   */
  async *#watch(isKnown: boolean, call: Call): AsyncGenerator<HealthCheckResponse> {
    let wake = () => {};
    const watcher = () => wake();
    this.#watchers.add(watcher);
    // Also lets a generator go that nobody reads to its end.
    const forget = call.onEnd(() => {
      this.#watchers.delete(watcher);
      wake();
    });
    try {
      let sent: Status | undefined;
      while (call.ended === undefined) {
        const status = this.#statusOf(isKnown);
        if (status !== sent) {
          sent = status;
          yield create(HealthCheckResponseSchema, { status });
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      forget();
      this.#watchers.delete(watcher);
    }
  }
}
