/**
 * Where `login` keeps what it was given: `propusk/login.json` in the user's configuration folder
 * ($XDG_CONFIG_HOME, else ~/.config; %APPDATA% on Windows), readable by its owner alone.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { unusable } from './failure.ts';

/** What is known of one server. */
export interface Login {
  /** The operator's token; a secret. */
  readonly token: string;
  /** File of the CA that signs the server's certificate. */
  readonly caFile?: string;
  /** Where the same server's public API is, if elsewhere. */
  readonly api?: string;
}

/** All servers that were logged in to, by their URL. A token is for one server, never for another. */
export interface Logins {
  /** The server of commands that name none. */
  readonly current?: string;
  readonly servers: Readonly<Record<string, Login>>;
}

type Env = Readonly<Record<string, string | undefined>>;

/** The file's path. */
export function loginFile(env: Env): string {
  // The XDG specification: a relative path there is to be ignored.
  const xdg = env.XDG_CONFIG_HOME;
  if (xdg !== undefined && path.isAbsolute(xdg)) return path.join(xdg, 'propusk', 'login.json');
  if (process.platform === 'win32' && env.APPDATA !== undefined) {
    return path.join(env.APPDATA, 'propusk', 'login.json');
  }
  return path.join(env.HOME ?? os.homedir(), '.config', 'propusk', 'login.json');
}

/**
 * What the file holds; nothing where there is none.
 * @throws CommandFailure USAGE when it cannot be read
 */
export function readLogins(file: string): Logins {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { servers: {} };
    throw unusable(`${file} cannot be read: ${(error as Error).message}`, error);
  }
  try {
    const { current, servers } = JSON.parse(text) as Logins;
    const isWhole = Object.values(servers).every(({ token }) => typeof token === 'string');
    if (!isWhole) throw new Error('a server in it has no token');
    return { ...(current !== undefined && { current }), servers };
  } catch (error) {
    throw unusable(`${file} is not a file of propusk login: remove it, and log in again`, error);
  }
}

/** Writes the file as a whole or not at all. */
export function writeLogins(file: string, logins: Logins): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const written = `${file}.${process.pid}`;
  try {
    writeFileSync(written, `${JSON.stringify(logins, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    // The umask may have taken more than it should.
    chmodSync(written, 0o600);
    renameSync(written, file);
  } catch (error) {
    rmSync(written, { force: true });
    throw unusable(`${file} cannot be written: ${(error as Error).message}`, error);
  }
}
