/** Asks both the same, and says where their answers differ as they must not. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { type Answer, type Asked, ask } from './ask.ts';
import { DIFFERENCES, type Difference } from './differences.ts';
import { type Seen, violationsOf } from './seen.ts';
import type { Pair } from './server.ts';
import { CANARY } from './values.ts';

/** Differences that one request may show at once. */
const AT_ONCE_MAX = 4;

function isSame(ours: Answer, gateway: Answer): boolean {
  return ours.status === gateway.status && isDeepStrictEqual(ours.json, gateway.json);
}

/** The differences for which we refuse, if they are all that we refuse for. */
function refusalsOf(seen: Seen): readonly Difference[] | undefined {
  const wrong = violationsOf(seen.ours);
  if (seen.ours.status !== 400 || wrong.length === 0) return undefined;
  const possible = DIFFERENCES.filter((one) => one.refusal !== undefined && one.allows(seen));
  const found = wrong.map((text) => possible.find(({ refusal }) => refusal?.test(text)));
  return found.every((one) => one !== undefined) ? [...new Set(found)] : undefined;
}

export class Comparison {
  readonly #pair: Pair;
  /** How many requests were compared. */
  requests = 0;
  /** How often each difference was met, by its name. */
  readonly met = new Map<string, number>();

  constructor(pair: Pair) {
    this.#pair = pair;
  }

  /** Asks both. @throws AssertionError when the answers differ, and no difference allows it */
  async compare(asked: Asked): Promise<readonly Difference[]> {
    const [ours, gateway] = await Promise.all([
      ask(this.#pair.ours, asked),
      ask(this.#pair.gateway, asked),
    ]);
    this.requests++;
    this.#check(asked, ours);
    const differences = await this.#explain(asked, ours, gateway);
    if (differences === undefined) {
      // Shows both.
      assert.deepEqual(
        { status: ours.status, json: ours.json ?? ours.text },
        { status: gateway.status, json: gateway.json ?? gateway.text },
        `${asked.verb} ${asked.target}\n${Buffer.from(asked.body ?? '').toString()}`,
      );
      assert.fail('answers that differ were called equal');
    }
    for (const { name } of differences) this.met.set(name, (this.met.get(name) ?? 0) + 1);
    return differences;
  }

  /** What holds of our answers whatever the gateway says. */
  #check(asked: Asked, ours: Answer): void {
    const isFailure = asked.target.startsWith('/v1/failures');
    assert.ok(ours.status < 500 || isFailure, `${asked.target}: ${ours.text}`);
    if (asked.verb !== 'HEAD') assert.notEqual(ours.json, undefined, ours.text);
    if (ours.status === 400 && !isFailure) assert.ok(!ours.text.includes(CANARY), ours.text);
  }

  /** The differences that together explain the answers; undefined when none do. */
  async #explain(
    asked: Asked,
    ours: Answer,
    gateway: Answer,
    room = AT_ONCE_MAX,
  ): Promise<readonly Difference[] | undefined> {
    if (isSame(ours, gateway)) return [];
    if (room === 0) return undefined;
    const seen = { asked, ours, gateway };
    for (const difference of DIFFERENCES) {
      if (difference.refusal !== undefined || !difference.allows(seen)) continue;
      if (difference.instead === undefined) return [difference];
      const instead = difference.instead(asked);
      if (instead === undefined) continue;
      const other = await ask(this.#pair.gateway, instead);
      const rest = await this.#explain(instead, ours, other, room - 1);
      if (rest !== undefined) return [difference, ...rest];
    }
    return refusalsOf(seen);
  }
}
