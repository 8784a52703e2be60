/** The client's own deadline: `grpc-timeout`, which grpc-gateway also reads over REST. */
import { AppError } from '../domain/errors.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds of a `grpc-timeout` such as `100m`; undefined when there is none. */
export function parseTimeout(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  const [, count, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(String(header)) ?? [];
  const unitMs = UNIT_MS[unit];
  if (unitMs === undefined) {
    throw new AppError(
      'INVALID_REQUEST',
      'grpc-timeout is not digits and one of H M S m u n, such as 500m',
    );
  }
  return Number(count) * unitMs;
}
