/** Which server a command talks to, and as whom: flags first, then the environment, then `login`. */
import { Api } from './api.ts';
import { unusable } from './failure.ts';
import { HttpClient } from './http.ts';
import { type Login, loginFile, readLogins } from './login-file.ts';
import { OPERATOR_PREFIX, refuseTypo } from './secret-form.ts';
import { readFile, readSecret, type Surroundings } from './surroundings.ts';

/** Where `propusk serve` has its internal listener when nobody says otherwise. */
export const DEFAULT_SERVER = 'http://127.0.0.1:9090';
/** Where `propusk dev` and `serve` have the public API when nobody says otherwise. */
export const DEFAULT_API = 'http://127.0.0.1:8080';

/** What the flags of a command say of its server; undefined: nothing. */
export interface ServerFlags {
  readonly server?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly api?: string | undefined;
}

/**
 * A server's address in the one form that it is kept under: without a slash at its end.
 * @throws CommandFailure USAGE when it is none
 */
export function readServerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw unusable(`"${text}" is not a server's address, such as ${DEFAULT_SERVER}`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw unusable(`"${text}" is more than a server's address; give it without anything after it`);
  }
  return url;
}

/** The text of such an address, which names the server in the file of `login`. */
export function nameOf(url: URL): string {
  return url.href.replace(/\/+$/, '');
}

/** A text as a shell reads it. */
function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Where the commands of this call go. */
export class Connection {
  readonly #around: Surroundings;
  readonly #flags: ServerFlags;
  readonly #opened: Api[] = [];

  constructor(around: Surroundings, flags: ServerFlags) {
    this.#around = around;
    this.#flags = flags;
  }

  /** The flags that were given, for another command line; each after a blank. */
  flagsAgain(): string {
    const { server, tokenFile, caFile } = this.#flags;
    const given = Object.entries({ server, 'token-file': tokenFile, 'ca-file': caFile });
    return given
      .map(([name, value]) => (value === undefined ? '' : ` --${name} ${quoted(value)}`))
      .join('');
  }

  /** The admin API's address. */
  get server(): URL {
    const { env } = this.#around;
    const logins = readLogins(loginFile(env));
    const text = this.#flags.server ?? env.PROPUSK_SERVER ?? logins.current;
    if (text === undefined) {
      throw unusable('which server? log in first (propusk login --help), or give --server');
    }
    return readServerUrl(text);
  }

  /** The admin API, as the operator whose token it is. */
  async admin(): Promise<Api> {
    const { server } = this;
    const login = this.#loginOf(server);
    const token = (await this.#givenToken()) ?? login?.token;
    if (token === undefined) {
      throw unusable(`not logged in to ${nameOf(server)}; see propusk login --help`);
    }
    return this.open(server, token, this.#caFile(login));
  }

  /** The public API, as anyone; that of the server logged in to, where it is known. */
  publicApi(): Api {
    const { env } = this.#around;
    const login = this.#hasServer() ? this.#loginOf(this.server) : undefined;
    const url = this.#flags.api ?? env.PROPUSK_API ?? login?.api ?? DEFAULT_API;
    return this.open(readServerUrl(url), undefined, this.#caFile(login));
  }

  /** Any server. */
  open(server: URL, token: string | undefined, caFile: string | undefined): Api {
    const ca = caFile === undefined ? undefined : readFile(caFile);
    const api = new Api(new HttpClient(server, ca), token);
    this.#opened.push(api);
    return api;
  }

  close(): void {
    for (const api of this.#opened) api.close();
  }

  #hasServer(): boolean {
    const { env } = this.#around;
    const given = this.#flags.server ?? env.PROPUSK_SERVER;
    return (given ?? readLogins(loginFile(env)).current) !== undefined;
  }

  #loginOf(server: URL): Login | undefined {
    return readLogins(loginFile(this.#around.env)).servers[nameOf(server)];
  }

  #caFile(login: Login | undefined): string | undefined {
    return this.#flags.caFile ?? this.#around.env.PROPUSK_CA_FILE ?? login?.caFile;
  }

  /** The token that a flag or the environment gives. */
  async #givenToken(): Promise<string | undefined> {
    const { env } = this.#around;
    const what = "the operator's token";
    const file =
      this.#flags.tokenFile ??
      (env.PROPUSK_TOKEN === undefined ? env.PROPUSK_TOKEN_FILE : undefined);
    const token =
      file === undefined ? env.PROPUSK_TOKEN : await readSecret(this.#around, file, what);
    if (token !== undefined) refuseTypo(token, OPERATOR_PREFIX, what);
    return token;
  }
}
