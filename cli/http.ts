/** HTTP/1.1 by Node's own client: connections that are kept, a time limit, and a CA of one's own. */
import http from 'node:http';
import https from 'node:https';
import { CommandFailure, Exit } from './failure.ts';

/** Milliseconds that a server may be silent. */
const ANSWER_MS_MAX = 30_000;
/** No answer of the API is near it. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** Calls under way at a time, where a command makes many. */
export const CALLS_AT_A_TIME = 64;

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

export interface HttpRequest {
  readonly verb: string;
  /** Path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** No answer came. */
export class NoAnswer extends CommandFailure {
  /** True where the server may have got the request, and done what it asks for. */
  readonly isSent: boolean;

  constructor(message: string, isSent: boolean, cause: unknown) {
    super(Exit.UNAVAILABLE, message, { cause });
    this.isSent = isSent;
  }
}

/** Sends requests to one server. */
export class HttpClient {
  readonly #base: URL;
  readonly #agent: http.Agent | https.Agent;
  readonly #request: typeof http.request;

  /**
   * @param base http or https, as `readServerUrl` lets through
   * @param ca PEM of who signs the server's certificate, beside those that the system trusts
   */
  constructor(base: URL, ca?: string) {
    this.#base = base;
    const kept = { keepAlive: true, maxSockets: CALLS_AT_A_TIME };
    if (base.protocol === 'https:') {
      this.#agent = new https.Agent({ ...kept, ...(ca !== undefined && { ca }) });
      this.#request = https.request as typeof http.request;
    } else {
      this.#agent = new http.Agent(kept);
      this.#request = http.request;
    }
  }

  /**
   * One request; answers of any status resolve.
   * @throws NoAnswer
   */
  send({ verb, target, headers = {}, body }: HttpRequest): Promise<HttpAnswer> {
    const base = this.#base.pathname.replace(/\/$/, '');
    const options: https.RequestOptions = {
      agent: this.#agent,
      protocol: this.#base.protocol,
      hostname: this.#base.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: this.#base.port,
      path: base + target,
      method: verb,
      headers: {
        ...headers,
        accept: 'application/json',
        ...(body !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        }),
      },
      timeout: ANSWER_MS_MAX,
    };
    return new Promise((resolve, reject) => {
      let isSent = false;
      const fail = (error: Error) => reject(this.#unreachable(error, isSent));
      const request = this.#request(options, (answer) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > ANSWER_BYTES_MAX) answer.destroy(new Error('the answer has no end'));
          else chunks.push(chunk);
        });
        answer.on('error', fail);
        answer.on('end', () => {
          resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
        });
      });
      request.on('socket', (socket) => {
        const send = () => {
          isSent = true;
        };
        // Nothing goes out before there is a connection, and over TLS before the server is believed.
        if (!socket.connecting) send();
        else socket.once(this.#base.protocol === 'https:' ? 'secureConnect' : 'connect', send);
      });
      request.on('error', fail);
      request.on('timeout', () => {
        request.destroy(new Error(`nothing for ${ANSWER_MS_MAX / 1000} s`));
      });
      request.end(body);
    });
  }

  /** Lets the connections go, so that the process can end. */
  close(): void {
    this.#agent.destroy();
  }

  #unreachable(error: Error, isSent: boolean): NoAnswer {
    const what = isSent ? 'gave no answer' : 'cannot be reached';
    const { code, message } = error as NodeJS.ErrnoException;
    const why = message || code || String(error);
    // Who is spoken to in TLS and does not know it answers something else, or hangs up.
    const isForeign = code === 'ECONNRESET' || code === 'EPROTO' || code?.startsWith('ERR_SSL');
    const isPlain = this.#base.protocol === 'https:' && !isSent && isForeign;
    const hint = isPlain ? '; does it speak TLS? If not, its address begins with http:' : '';
    return new NoAnswer(`${this.#base.origin} ${what}: ${why}${hint}`, isSent, error);
  }
}
