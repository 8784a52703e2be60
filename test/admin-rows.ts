/** What a test of a method of the administration needs to know, and what such rows have in common. */
import type { OperatorRole } from '../src/domain/model.ts';

/** What is there to be administered, new for each call. */
export interface Things {
  readonly client: string;
  readonly account: string;
  readonly plan: string;
  readonly subscription: string;
  readonly key: string;
  readonly session: string;
  readonly operator: string;
  /** A client with nothing that needs it, and a plan that nobody has. */
  readonly loneClient: string;
  readonly lonePlan: string;
}

/** What a request is made of. */
export type Request = Record<string, unknown>;

export interface Row {
  /** The least that may call it. */
  readonly role: OperatorRole;
  /** A request that is answered. */
  readonly good: (things: Things) => Request;
  /** Requests that are not, with the field that is named; or the reason instead of one. */
  readonly wrong: readonly (readonly [request: (things: Things) => Request, what: string])[];
  /** The audit entry's action and target; undefined where nothing is changed. */
  readonly audit?: (things: Things, id: string) => readonly [action: string, target: string];
}

export const NOT_FOUND = 'RESOURCE_NOT_FOUND';
export const LONG = 'x'.repeat(257);
export const noPage: Row['wrong'] = [
  [() => ({ pageSize: -1 }), 'page_size'],
  [() => ({ pageToken: 'nonsense' }), 'page_token'],
];
export const noneWithId: Row['wrong'] = [[() => ({ id: 'nobody' }), NOT_FOUND]];
export const otherVersion = (id: (things: Things) => string): Row['wrong'][number] => [
  (things) => ({ id: id(things), version: 1n }),
  'VERSION_CONFLICT',
];
export const masked = (noun: string, id: (things: Things) => string): Row['wrong'] => [
  [(things) => ({ [noun]: { id: id(things) } }), 'update_mask'],
  [
    (things) => ({ [noun]: { id: id(things) }, updateMask: { paths: ['nonsense'] } }),
    'update_mask',
  ],
  [(things) => ({ [noun]: { id: id(things) }, updateMask: { paths: ['id'] } }), 'update_mask'],
];
export const recorded =
  (action: string, id: (things: Things) => string): NonNullable<Row['audit']> =>
  (things) => [action, `${action.split('.')[0]}:${id(things)}`];
export const made =
  (noun: string): NonNullable<Row['audit']> =>
  (_things, id) => [`${noun}.create`, `${noun}:${id}`];
