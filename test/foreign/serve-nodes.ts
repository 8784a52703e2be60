/** Several `propusk serve` with a database each, in which the same keys are: nodes that share no store. */
import { copyFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { putOperator, SERVE_KEY } from '../administration.ts';
import { type ServeInChild, startServeApart, startServeWith, temporaryFolder } from '../start.ts';
import { putAccounts, putKey, writeKey } from '../steps.ts';
import { figuresOf, untilAllAlone, untilAllShare } from './shared-limits.ts';

/** The secret of a key with the usual limits, whose id is `limited`. */
export const LIMITED = 'sk_limited_limited_limited_limited';
/** The secret of a key that may call as often as it likes. */
export const FREE = 'sk_free_free_free_free_free_free_fr';

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** From the request to the whole answer, in milliseconds. */
  readonly ms: number;
}

/** A POST; rejects when it is not answered. */
export function post(agent: http.Agent, url: string, body: object): Promise<Answer> {
  const beganMs = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent, method: 'POST' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: text, ms: performance.now() - beganMs }),
      );
    });
    request.on('error', reject);
    request.end(JSON.stringify(body));
  });
}

export class ServeNodes implements AsyncDisposable {
  readonly all: readonly ServeInChild[];
  /** Of one who may see, in every database. */
  readonly operatorToken: string;
  readonly agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

  private constructor(all: readonly ServeInChild[], operatorToken: string) {
    this.all = all;
    this.operatorToken = operatorToken;
  }

  /** @param env variables of all of them */
  static async start(count: number, env: Record<string, string>): Promise<ServeNodes> {
    const seed = path.join(temporaryFolder(), 'seed.db');
    const server = await startServeWith({}, `--database=sqlite:${seed}`);
    await putAccounts(server.store, [{ id: '1', clientId: 'c', readonly: false }], ['c']);
    await putKey(server.store, 'limited', 'c', SERVE_KEY.macOfSecret(LIMITED));
    await putKey(server.store, 'free', 'c', SERVE_KEY.macOfSecret(FREE));
    await writeKey(server.store, 'free', { callsMax: { Auth: 1_000_000_000 } });
    const { token } = await putOperator(server, 'viewer');
    await server.stop();
    const starts = Array.from({ length: count }, () => {
      const database = path.join(temporaryFolder(), 'propusk.db');
      copyFileSync(seed, database);
      return startServeApart({ PROPUSK_DATABASE: `sqlite:${database}`, ...env });
    });
    return new ServeNodes(await Promise.all(starts), token);
  }

  /** Signs in at one of them. */
  signIn(node: number, secret: string): Promise<Answer> {
    return post(this.agent, `${this.all[node]?.url}/v1/sessions`, { secret });
  }

  /** The statuses of so many calls at once, spread over these nodes, and how often each came. */
  async statuses(
    calls: number,
    nodes: readonly number[],
    call: (node: number) => Promise<Pick<Answer, 'status'>>,
  ): Promise<Record<number, number>> {
    const asked = Array.from({ length: calls }, (_, i) => call(nodes[i % nodes.length] as number));
    const counts: Record<number, number> = {};
    for (const { status } of await Promise.all(asked)) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  }

  get #internalUrls(): string[] {
    return this.all.map(({ internalUrl }) => internalUrl);
  }

  /** A figure of each node. */
  figures(name: string): Promise<(number | undefined)[]> {
    return figuresOf(this.#internalUrls, name);
  }

  /** Resolves when all of them share their limits with all others. */
  allShare(): Promise<void> {
    return untilAllShare(this.#internalUrls);
  }

  /** Resolves when each is alone. */
  allAlone(): Promise<void> {
    return untilAllAlone(this.#internalUrls);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.destroy();
    await Promise.all(this.all.map((each) => each[Symbol.asyncDispose]()));
  }
}
