/** What a setting is, and how the texts of settings are read: each reader throws BadSetting. */
import { parseDuration } from './domain/duration.ts';
import { type Network, parseNetwork } from './domain/network.ts';

export type Mode = 'dev' | 'serve';

/** Where connections are taken. */
export interface Address {
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

export interface Setting<T> {
  /** As commander writes it: `--listen <host:port>`. */
  readonly flags: string;
  readonly help: string;
  /** Text that is read when nothing is given; undefined: the value is then undefined. */
  readonly fallback?: string;
  readonly repeatable?: boolean;
  /** Where it exists; both when left out. */
  readonly mode?: Mode;
  readonly group?: string;
  /** Reads the text; throws a sentence about what is wrong with it. */
  readonly read: (text: string) => T;
}

/** What is wrong with a setting's text. */
export class BadSetting extends Error {}

/** Anything but nothing. */
export function text(value: string): string {
  if (value === '') throw new BadSetting('is empty');
  return value;
}

/** true or false, in the usual words. */
export function flag(value: string): boolean {
  if (/^(1|true|yes|on)$/i.test(value)) return true;
  if (/^(0|false|no|off)$/i.test(value)) return false;
  throw new BadSetting(`"${value}" is neither true nor false`);
}

/** HOST:PORT. */
export function address(value: string): Address {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(value) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || host === '' || Number(port) > 65_535) {
    throw new BadSetting(`"${value}" is not HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080`);
  }
  return { host, port: Number(port) };
}

/**
 * sqlite:PATH, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE` with libpq's options behind `?`. What is
 * wrong with it is told without it, since it may hold a password.
 */
export function databaseUrl(value: string): string {
  if (/^sqlite:.+/.test(value)) return value;
  const example = 'such as sqlite:data/propusk.db or postgres://propusk@db.example/propusk';
  if (!/^postgres(ql)?:/.test(value)) throw new BadSetting(`is not a database URL, ${example}`);
  if (!URL.canParse(value)) throw new BadSetting(`is not a URL, ${example}`);
  const { hostname, pathname, username, password } = new URL(value);
  if (hostname === '') throw new BadSetting(`names no host, ${example}`);
  if (!/^\/[^/]+$/.test(pathname)) throw new BadSetting(`names no database, ${example}`);
  // Part of a password, which would be told as if it were not.
  if (pathname.includes('@'))
    throw new BadSetting('has a password with a / that is not written %2F');
  if (/%(?![0-9a-f]{2})/i.test(username + password + pathname)) {
    throw new BadSetting('has a user, password or database with a % that is not written %25');
  }
  return value;
}

/**
 * redis:// or rediss:// of one server: `redis://USER:PASSWORD@HOST:PORT/DATABASE`. What is wrong with it is
 * told without it, since it may hold a password.
 */
export function countersUrl(value: string): string {
  const example = 'such as redis://127.0.0.1:6379, or rediss:// for TLS';
  if (!URL.canParse(value)) throw new BadSetting(`is not a URL, ${example}`);
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(value);
  if (protocol !== 'redis:' && protocol !== 'rediss:') {
    throw new BadSetting(`begins with neither redis:// nor rediss://; ${example}`);
  }
  if (hostname === '' || port === '0') throw new BadSetting(`names no host and port, ${example}`);
  if (!/^\/?\d{0,5}$/.test(pathname)) throw new BadSetting('has a path that is no database number');
  if (search !== '' || hash !== '')
    throw new BadSetting('has options behind ? or #, and takes none');
  if (/%(?![0-9a-f]{2})/i.test(username + password)) {
    throw new BadSetting('has a user or password with a % that is not written %25');
  }
  return value;
}

/** A databaseUrl that is one of SQLite. */
export function sqliteUrl(value: string): string {
  if (databaseUrl(value).startsWith('sqlite:')) return value;
  throw new BadSetting('is no SQLite database, such as sqlite:data/propusk.db');
}

/** A databaseUrl that is one of PostgreSQL. */
export function postgresUrl(value: string): string {
  if (!databaseUrl(value).startsWith('sqlite:')) return value;
  throw new BadSetting('is no PostgreSQL database, such as postgres://propusk@db.example/propusk');
}

/** A duration, as whole seconds. */
export function sessionTtl(value: string): number {
  const ms = parseDuration(value);
  if (ms === undefined) throw new BadSetting(`"${value}" is not a duration, such as 15m3s`);
  if (ms < 5000) throw new BadSetting(`"${value}" is too short; a session lives at least 5s`);
  if (ms % 1000 !== 0) throw new BadSetting(`"${value}" is not whole seconds`);
  if (ms > 365 * 86_400_000) throw new BadSetting(`"${value}" is too long; at most 365d`);
  return ms / 1000;
}

/** A duration, as milliseconds. */
export function retention(value: string): number {
  const ms = parseDuration(value);
  if (ms === undefined) throw new BadSetting(`"${value}" is not a duration, such as 400d`);
  if (ms < 3_600_000) throw new BadSetting(`"${value}" is too short; at least 1h`);
  return ms;
}

/** A whole number, at least 1. */
export function count(value: string): number {
  return wholeNumber(value, 1);
}

/** The same where 0 means something: none at all, or without a limit. */
export function countFromZero(value: string): number {
  return wholeNumber(value, 0);
}

function wholeNumber(value: string, min: number): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= min && number <= 2 ** 31 - 1) return number;
  throw new BadSetting(`"${value}" is not a whole number from ${min} to ${2 ** 31 - 1}`);
}

/** Of a page, as browsers send it. */
export function origin(value: string): string {
  if (URL.canParse(value) && new URL(value).origin === value) return value;
  throw new BadSetting(`"${value}" is not an origin, such as https://example.org`);
}

/** An IP address or CIDR. */
export function network(value: string): Network {
  const read = parseNetwork(value);
  if (typeof read === 'string') throw new BadSetting(`"${value}" ${read}`);
  return read;
}

/** One of pino's. */
export function logLevel(value: string): string {
  const levels = ['debug', 'info', 'warn', 'error', 'silent'];
  if (levels.includes(value)) return value;
  throw new BadSetting(`"${value}" is none of ${levels.join(', ')}`);
}

/** Where orders go. */
export function orders(value: string): 'paper' | 'off' {
  if (value === 'paper' || value === 'off') return value;
  throw new BadSetting(`"${value}" is neither paper nor off`);
}

/** A host name or an IP address. */
export function hostName(value: string): string {
  const isName =
    /^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/.test(value) && value.length < 64;
  if (isName || /^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$/.test(value)) return value;
  throw new BadSetting(`"${value}" is neither a host name nor an IP address`);
}
