/** One request, sent as it is written, and its answer. */
import http from 'node:http';

export interface Asked {
  readonly verb: string;
  /** Path and query, sent to the letter. */
  readonly target: string;
  readonly body?: Uint8Array | string | undefined;
  readonly type?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  /** Undefined when the text is no JSON. */
  readonly json: unknown;
}

/** Milliseconds after which a server that does not answer has failed. */
const ANSWER_MS_MAX = 10_000;

const agent = new http.Agent({ keepAlive: true });

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Asks a port of this machine. */
export function ask(port: number, asked: Asked): Promise<Answer> {
  const { verb, target, body = '', type = 'application/json' } = asked;
  const bytes = Buffer.from(body);
  return new Promise((resolve, reject) => {
    const request = http.request({
      agent,
      host: '127.0.0.1',
      port,
      method: verb,
      path: target,
      headers: { 'content-type': type, 'content-length': bytes.length },
      timeout: ANSWER_MS_MAX,
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, text, json: parse(text) });
      });
    });
    request.end(bytes);
  });
}
