/** From the token that an operator shows to who it is. */
import type { Clock } from '../domain/clock.ts';
import { AppError } from '../domain/errors.ts';
import type { MasterKey } from '../domain/master-key.ts';
import type { Operator } from '../domain/model.ts';
import type { Store, Stored } from '../store/store.ts';

export interface OperatorsOptions {
  readonly store: Store;
  readonly masterKey: MasterKey;
  readonly clock: Pick<Clock, 'now'>;
}

/** Looks each up anew: what is taken from an operator is gone with its next call. */
export class Operators {
  readonly #options: OperatorsOptions;

  constructor(options: OperatorsOptions) {
    this.#options = options;
  }

  /** What an operator's token is known by. */
  macOf(token: string): string {
    return this.#options.masterKey.macOfSecret(token);
  }

  /**
   * Whose token has this HMAC.
   * @throws AppError OPERATOR_TOKEN_INVALID, the same whatever is wrong; the log's reason tells
   */
  async ofMac(tokenMac: string): Promise<Stored<Operator>> {
    const id = await this.#options.store.operatorIdOfToken(tokenMac);
    return this.#find(id, tokenMac);
  }

  /**
   * Who showed a token that was good, as it is now.
   * @throws AppError OPERATOR_TOKEN_INVALID
   */
  again({ id, tokenMac }: Operator): Promise<Stored<Operator>> {
    return this.#find(id, tokenMac);
  }

  async #find(id: string | undefined, tokenMac: string): Promise<Stored<Operator>> {
    const { store, clock } = this.#options;
    const operator = id === undefined ? undefined : await store.get('operator', id);
    // Its token may have been replaced meanwhile.
    if (operator?.tokenMac !== tokenMac) throw refuse('OPERATOR_UNKNOWN');
    if (operator.revokedAtMs !== null) throw refuse('OPERATOR_REVOKED');
    if (operator.expiresAtMs !== null && operator.expiresAtMs <= clock.now()) {
      throw refuse('OPERATOR_EXPIRED');
    }
    return operator;
  }
}

function refuse(logReason: string): AppError {
  return new AppError(
    'OPERATOR_TOKEN_INVALID',
    "the operator's token is malformed, unknown, revoked, expired or missing; log in again",
    { logReason },
  );
}
