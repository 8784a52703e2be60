/** Lets operators in: who shows the token of one, whose role is enough, and who does not guess. */
import type { DescMethod } from '@bufbuild/protobuf';
import type { Counters } from '../counters/counters.ts';
import { AppError } from '../domain/errors.ts';
import type { Operator, OperatorRole } from '../domain/model.ts';
import { networkOf } from '../domain/network.ts';
import { WINDOW_MS } from '../domain/quota.ts';
import { Caller, Role } from '../gen/propusk/contract/v1/contract_pb.js';
import type { Operators } from '../grants/operators.ts';
import { authorizationOf } from './authenticate.ts';
import type { Call } from './call.ts';
import { contractOf } from './method-contract.ts';
import { asAppError } from './status.ts';

/** Who came in from where is remembered of so many; the oldest goes first. */
const KNOWN_MAX = 1000;

/** Each role may do what those before it may. */
const RANK: Readonly<Record<OperatorRole, number>> = {
  service: Role.SERVICE,
  viewer: Role.VIEWER,
  operator: Role.OPERATOR,
  owner: Role.OWNER,
};

export interface OperatorAccessOptions {
  readonly operators: Operators;
  /** Counts failures by where they came from. */
  readonly failures: Counters;
  /** Failures in any window from one address. */
  readonly failuresMax: number;
}

/** The least role that may call a method; undefined where it is not for operators. */
export function roleNeeded(method: DescMethod): Role | undefined {
  const { caller, role } = contractOf(method);
  return caller === Caller.OPERATOR ? role : undefined;
}

export class OperatorAccess {
  readonly #options: OperatorAccessOptions;
  /**
   * Places and the tokens that were good there. Who guesses is not let guess on, and must not keep out
   * those who work on the same machine.
   */
  readonly #known = new Set<string>();

  constructor(options: OperatorAccessOptions) {
    this.#options = options;
  }

  /**
   * Finds out who calls, and notes it in the call. No promise where that is known already.
   * @throws AppError OPERATOR_TOKEN_INVALID or ROLE_INSUFFICIENT; RATE_LIMITED when there were too
   * many failures from this address, whatever is shown now
   */
  check(call: Call, method: DescMethod): Operator | Promise<Operator> {
    const { operators } = this.#options;
    const place = networkOf(call.head.remoteAddress);
    const mac = operators.macOf(authorizationOf(call.head));
    const name = `${place} ${mac}`;
    const held = this.#known.has(name) ? operators.held(mac) : undefined;
    if (held !== undefined) return this.#letIn(call, method, name, held);
    return this.#find(place, mac, name).then((found) => this.#letIn(call, method, name, found));
  }

  /**
   * Looks again at who was let in a moment ago. A stream is from then on ended, with the error that a
   * new one would meet, as soon as its operator may no longer have it. No promise where nothing waits.
   * @throws AppError OPERATOR_TOKEN_INVALID or ROLE_INSUFFICIENT
   */
  checkAgain(call: Call, method: DescMethod, before: Operator): void | Promise<void> {
    const { operators } = this.#options;
    const good = (operator: Operator): Operator => {
      checkRole(operator, method);
      call.operator = operator;
      return operator;
    };
    const look = async () => good(await operators.ofMac(before.tokenMac));
    if (method.methodKind !== 'unary') {
      return look().then(() => {
        call.beforeAnswer = () => (operators.isCurrent() ? undefined : look());
        const end = operators.attend(before, {
          look: async () => (await look()).expiresAtMs ?? Number.POSITIVE_INFINITY,
          failed: (error) => call.end(asAppError(error)),
        });
        call.onEnd(end);
      });
    }
    const held = operators.held(before.tokenMac);
    if (held === undefined) return look().then(() => {});
    good(held);
  }

  #letIn(call: Call, method: DescMethod, name: string, operator: Operator): Operator {
    call.operator = operator;
    this.#note(name);
    checkRole(operator, method);
    return operator;
  }

  async #find(place: string, mac: string, name: string): Promise<Operator> {
    const { operators, failures, failuresMax } = this.#options;
    if (!this.#known.has(name)) {
      const { remaining, resetMs } = await failures.look(place, failuresMax);
      if (remaining === 0) throw this.#tooMany(resetMs);
    }
    try {
      return await operators.ofMac(mac);
    } catch (error) {
      return this.#failed(place, name, error);
    }
  }

  /** Counts a failure; what cannot be looked up says nothing against the caller. */
  async #failed(place: string, name: string, error: unknown): Promise<never> {
    if (!(error instanceof AppError) || error.reason !== 'OPERATOR_TOKEN_INVALID') throw error;
    this.#known.delete(name);
    const { failures, failuresMax } = this.#options;
    const taken = await failures.take(place, failuresMax);
    if (taken === 'full') throw this.#tooMany(WINDOW_MS);
    throw taken.isAllowed ? error : this.#tooMany(taken.resetMs);
  }

  #note(name: string): void {
    this.#known.delete(name);
    this.#known.add(name);
    if (this.#known.size <= KNOWN_MAX) return;
    const [oldest] = this.#known;
    if (oldest !== undefined) this.#known.delete(oldest);
  }

  #tooMany(resetMs: number): AppError {
    const { failuresMax } = this.#options;
    const retryAfterMs = Math.ceil(resetMs);
    return new AppError(
      'RATE_LIMITED',
      `at most ${failuresMax} failures of operators from one address in any ${WINDOW_MS / 1000} s; ` +
        `try again in ${retryAfterMs} ms`,
      { limitPerMinute: failuresMax, retryAfterMs },
    );
  }
}

function checkRole({ role }: Operator, method: DescMethod): void {
  const least = roleNeeded(method) ?? Role.UNSPECIFIED;
  if (least !== Role.UNSPECIFIED && RANK[role] >= least) return;
  const name = Role[least].toLowerCase();
  throw new AppError(
    'ROLE_INSUFFICIENT',
    `${method.name} needs the role ${name}; yours is ${role}`,
  );
}
