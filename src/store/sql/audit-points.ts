/** Where each chain of the audit log begins and ends, and which chains there are: sealed points. */
import type { KeyObject } from 'node:crypto';
import {
  type ChainPoint,
  FIRST_CHAIN,
  type PointName,
  type SealedPoint,
  type SealName,
  sealPoint,
} from '../../domain/audit-chain.ts';
import { changed, first, rows, type Sql } from './query.ts';

/** Every statement about one of them. */
export const POINT_SQL = {
  point: 'SELECT writer, sequence, hash, mac FROM audit_point WHERE chain = ? AND name = ?',
  putPoint: `
    INSERT INTO audit_point (chain, name, writer, sequence, hash, mac) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (chain, name) DO UPDATE SET writer = excluded.writer,
      sequence = excluded.sequence, hash = excluded.hash, mac = excluded.mac`,
} as const;

/** All of them: two for each chain. */
const POINTS_SQL = `
  SELECT chain, name, writer, sequence, hash, mac FROM audit_point ORDER BY chain, name`;

/** What the register is kept as a point of. */
export const REGISTER_CHAIN = 0;

/** A head as it is kept elsewhere: of which chain it is, too. */
export interface ChainHead extends SealedPoint {
  readonly chain: number;
}

/** A point of any chain. */
export interface NamedPoint extends ChainHead {
  readonly name: PointName;
}

/** True for the one point of the whole log. */
export function isRegister({ name, chain }: NamedPoint): boolean {
  return name === 'register' && chain === REGISTER_CHAIN;
}

/** A point as it is kept; undefined where there is none. */
export function* readPoint(
  name: PointName,
  chain: number = FIRST_CHAIN,
): Sql<SealedPoint | undefined> {
  const row = yield* first<SealedPoint>(POINT_SQL.point, chain, name);
  return row && { ...row };
}

/** All points, in the order of their chains; the register, if there is one, is the first. */
export function* readPoints(): Sql<NamedPoint[]> {
  return (yield* rows<NamedPoint>(POINTS_SQL)).map((row) => ({ ...row }));
}

/** The heads of all chains that have begun, in their order; nobody has looked at their seals. */
export function* readHeads(): Sql<ChainHead[]> {
  return headsOf(yield* readPoints());
}

/** Those among all points. */
export function headsOf(points: readonly NamedPoint[]): ChainHead[] {
  const heads = points.filter(({ name, writer }) => name === 'head' && writer !== '');
  return heads.map(({ name: _, ...head }) => head);
}

/** What a point is to be. */
export interface PointWrite {
  readonly name: PointName;
  readonly chain: number;
  readonly point: ChainPoint;
  /** What it is sealed as, where that is not its name. */
  readonly seal?: SealName;
}

export function* putPoint(key: KeyObject, { name, chain, point, seal }: PointWrite): Sql<void> {
  const { writer, sequence, hash, mac } = sealPoint(key, seal ?? name, point);
  yield* changed(POINT_SQL.putPoint, chain, name, writer, sequence, hash, mac);
}
