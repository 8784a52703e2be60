/** What it means that PostgreSQL cannot be used, for people: what is wrong, and what to do. */
import pg from 'pg';
import { StoreError } from '../store.ts';
import { CONNECT_MS_MAX, lineOf } from './connection.ts';
import { placeOf } from './url.ts';

const ADDRESS = 'check the address in --database';
const AGAIN = 'wait for it, and start again';
const ROOT = 'name the file of its CA with ?sslrootcert=FILE&sslmode=verify-full';

/** By SQLSTATE; each goes on from the server's own words. */
const BY_STATE: Readonly<Record<string, string>> = {
  '08P01': 'if a pool is between, connect directly',
  '28P01': 'check the user and the password in --database, or PGPASSWORD',
  '28000': 'check the user in --database and the lines for it in pg_hba.conf',
  '3D000':
    "make it first, such as: createdb --encoding=UTF8 --owner=ROLE, or check --database's path",
  '3F000': 'no schema of its search_path is there; check the search_path of the role',
  '42501':
    'the role must own its schema, or be let in: GRANT USAGE, CREATE ON SCHEMA public TO ROLE',
  '25006':
    'it is a standby, or default_transaction_read_only is on; name the primary in --database',
  '53300': 'raise max_connections, or lower --database-connections-max of each node',
  '55P03': 'another propusk may be changing it for long; wait for it, and start again',
  '57P03': AGAIN,
  '57P01': AGAIN,
  '57P02': AGAIN,
};

/** By Node's code of a connection that did not come about. */
const BY_CODE: Readonly<Record<string, string>> = {
  ENOTFOUND: `no such host is known; ${ADDRESS}`,
  EAI_AGAIN: "the name of its host cannot be looked up now; check the machine's DNS",
  ECONNREFUSED: `nothing listens there; is it running? Check its port and listen_addresses, or ${ADDRESS}`,
  EHOSTUNREACH: `no way leads to its host; ${ADDRESS}`,
  ENETUNREACH: `no way leads to its host; ${ADDRESS}`,
  ETIMEDOUT: 'it does not answer; is a firewall between?',
  SELF_SIGNED_CERT_IN_CHAIN: `its certificate is signed by a CA that is not known here; ${ROOT}`,
  DEPTH_ZERO_SELF_SIGNED_CERT: `its certificate is signed by itself; ${ROOT}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `its certificate is signed by a CA that is not known here; ${ROOT}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: `its certificate is signed by a CA that is not known here; ${ROOT}`,
  CERT_HAS_EXPIRED: 'its certificate has expired; renew it',
  ERR_TLS_CERT_ALTNAME_INVALID: `its certificate is for another host; ${ADDRESS}`,
};

/** By the driver's own words, which have no code. */
const BY_TEXT: readonly (readonly [RegExp, string])[] = [
  [
    /^SASL: .*client password must be/,
    'it asks for a password, and there is none; put it into --database or PGPASSWORD',
  ],
  [
    /does not support SSL connections/,
    'sslmode asks for TLS, which it does not offer; switch its ssl on, or ask with sslmode=disable',
  ],
  [
    /timeout expired|due to connection timeout/,
    `it does not answer within ${CONNECT_MS_MAX / 1000} s; is a firewall between, or is it overloaded?`,
  ],
];

/** As a StoreError of one line, without a password. One that is for people already stays as it is. */
export function refusalOf(url: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError(`${placeOf(url)} cannot be used: ${whatFailed(rootOf(error))}`, error);
}

/** What the driver threw, inside of what became of it. */
function rootOf(error: unknown): unknown {
  if (error instanceof pg.DatabaseError || !(error instanceof Error)) return error;
  return error.cause === undefined ? error : rootOf(error.cause);
}

function whatFailed(error: unknown): string {
  const [first] = error instanceof AggregateError ? error.errors : [error];
  const code = first instanceof Error && 'code' in first ? String(first.code) : '';
  const text = lineOf(first);
  if (error instanceof pg.DatabaseError) {
    // What would help is TLS alone; any other refusal of these lines says what it misses.
    const isPlain = code === '28000' && text.includes('no encryption');
    const advice = isPlain ? 'or ask with TLS: ?sslmode=verify-full' : undefined;
    return [text, BY_STATE[code], advice].filter((part) => part !== undefined).join('; ');
  }
  return BY_CODE[code] ?? BY_TEXT.find(([known]) => known.test(text))?.[1] ?? text;
}
