/** The chains of a log that has several: which there are, and how one more begins. */
import type { KeyObject } from 'node:crypto';
import {
  type Chain,
  chainStart,
  checkpointSeal,
  FIRST_CHAIN,
  isSame,
  isSealed,
  registerOf,
} from '../../domain/audit-chain.ts';
import { AppError } from '../../domain/errors.ts';
import { AuditLog, drawWriter, type NextNumbers } from './audit.ts';
import {
  isRegister,
  type NamedPoint,
  putPoint,
  REGISTER_CHAIN,
  readHeads,
  readPoints,
} from './audit-points.ts';
import type { Sql } from './query.ts';

/** The numbers of the chains that have begun, in their order; nobody has looked at the register. */
export function* readChains(): Sql<number[]> {
  return (yield* readHeads()).map(({ chain }) => chain);
}

/** What is wrong with the register of a log that has these chains; undefined when it is right. */
export function registerFault(
  key: KeyObject,
  register: NamedPoint | undefined,
  chains: readonly Chain[],
): string | undefined {
  if (register === undefined) return "the register of the log's chains is missing";
  if (!isSealed(key, 'register', register)) {
    return "the register of the log's chains was changed, or belongs to another master key";
  }
  if (isSame(register.hash, registerOf(key, chains).hash)) return undefined;
  return 'the chains are not those that the register names: one was removed, added or exchanged';
}

/**
 * Begins the next chain of a log and answers its number, or the first, which then tells of every
 * resource; to be called while nobody else writes to the log. Throws AppError UNAVAILABLE where the
 * chains that there are, are not those of the register: what shows tampering is not to be tidied away.
 *
 * @param sequence drawn for this: the chain begins after it
 * @param nextNumbers as for AuditLog; what there is to tell of at the log's beginning takes numbers
 */
export function* beginChain(
  key: KeyObject,
  nowMs: number,
  sequence: number,
  nextNumbers?: NextNumbers,
): Sql<number> {
  const points = yield* readPoints();
  const unbegun = unbegunOf(points);
  if (unbegun !== undefined) {
    const log = new AuditLog(key, { nowMs: () => nowMs, ...(nextNumbers && { nextNumbers }) });
    // Entries from before logs were chained are in front of it, whatever was drawn.
    const point = yield* log.begin(Math.max(sequence, unbegun.sequence));
    yield* putPoint(key, { name: 'head', chain: FIRST_CHAIN, point });
    yield* putRegister(key, [{ chain: FIRST_CHAIN, writer: point.writer }]);
    return FIRST_CHAIN;
  }
  const chains = registeredOf(key, points);
  const chain = 1 + Math.max(...chains.map((each) => each.chain));
  const writer = drawWriter();
  const point = chainStart(key, writer, sequence);
  yield* putPoint(key, { name: 'checkpoint', chain, point, seal: 'whole' });
  yield* putPoint(key, { name: 'head', chain, point });
  yield* putRegister(key, [...chains, { chain, writer }]);
  return chain;
}

/**
 * Begins the register of a log that has one chain and none: one that was written by an engine that
 * keeps none, and comes to one that does. Throws AppError UNAVAILABLE for any other log.
 */
export function* beginRegister(key: KeyObject): Sql<void> {
  const points = yield* readPoints();
  const [checkpoint, head] = points;
  const isSound =
    points.length === 2 &&
    checkpoint?.name === 'checkpoint' &&
    head?.name === 'head' &&
    head.chain === FIRST_CHAIN &&
    checkpoint.chain === FIRST_CHAIN &&
    head.writer === checkpoint.writer &&
    isSealed(key, 'head', head) &&
    checkpointSeal(key, checkpoint) !== undefined;
  if (!isSound) throw refusal();
  yield* putRegister(key, [{ chain: FIRST_CHAIN, writer: head.writer }]);
}

/** The head that every database is made with, where it is all that the log has. */
function unbegunOf(points: readonly NamedPoint[]): NamedPoint | undefined {
  const [head] = points;
  if (points.length !== 1 || head?.name !== 'head') return undefined;
  return head.chain === FIRST_CHAIN && head.writer === '' ? head : undefined;
}

/** The chains that there are; throws where the register says otherwise. */
function registeredOf(key: KeyObject, points: readonly NamedPoint[]): Chain[] {
  const chains = points.filter(({ name }) => name === 'head');
  if (registerFault(key, points.find(isRegister), chains) !== undefined) throw refusal();
  return chains;
}

function* putRegister(key: KeyObject, chains: readonly Chain[]): Sql<void> {
  const point = registerOf(key, chains);
  yield* putPoint(key, { name: 'register', chain: REGISTER_CHAIN, point });
}

function refusal(): AppError {
  const message = 'the chains of the audit log are not those it had; see propusk audit verify';
  return new AppError('UNAVAILABLE', message);
}
