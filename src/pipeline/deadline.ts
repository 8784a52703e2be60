/** How long the server lets a unary call take, whatever its client asked for. */
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { numberOf, type PerMethod, parsePerMethod } from './method-name.ts';

/** Node's timers overflow past this many milliseconds; a longer deadline is as good as none. */
export const TIMER_MS_MAX = 2 ** 31 - 1;
/** Where no setting says otherwise. */
const DEADLINE_MS = 10_000;

/**
 * Reads one deadline: `MS` for all methods, or `METHOD=MS`.
 * @returns the deadline, or one sentence that says what is wrong
 */
export function parseDeadline(text: string, services: readonly DescService[]): PerMethod | string {
  const read = parsePerMethod(text, services, 'MS', TIMER_MS_MAX);
  if (typeof read !== 'string' && read.method !== undefined && !isTimed(read.method)) {
    return `"${text}" names a stream, which the server gives no deadline`;
  }
  return read;
}

/** The milliseconds that each method has; TIMER_MS_MAX for streams, which have no such end. */
export function deadlinesOf(settings: readonly PerMethod[]): (method: DescMethod) => number {
  const known = new Map<DescMethod, number>();
  return (method) => {
    let ms = known.get(method);
    if (ms === undefined) {
      ms = isTimed(method) ? (numberOf(method, settings) ?? DEADLINE_MS) : TIMER_MS_MAX;
      known.set(method, ms);
    }
    return ms;
  };
}

function isTimed(method: DescMethod): boolean {
  return method.methodKind === 'unary';
}
