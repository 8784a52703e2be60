/** Waking a stream that waits for news. */
import type { Call } from '../pipeline/call.ts';

/** Remembers that it was rung, for one who listens now or later. */
export class Bell {
  isRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.isRung = true;
    this.#wake?.();
  }

  /** Resolves when it is rung, at once if it was; rejects with what ends the call before. */
  rung(call: Call): Promise<void> {
    if (this.isRung) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const forget = call.onEnd(reject);
      this.#wake = () => {
        this.#wake = undefined;
        forget();
        resolve();
      };
    });
  }
}
