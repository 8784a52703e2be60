/** The four ways to reach the same methods. */
import { test } from 'node:test';
import type { Started } from '../start.ts';
import type { Client } from './client.ts';
import { GrpcClient } from './grpc.ts';
import { GrpcWebClient } from './grpc-web.ts';
import { Rest1Client, Rest2Client } from './rest.ts';

/** One client for each protocol; `await using` closes them. */
export class Four implements AsyncDisposable {
  readonly rest1: Rest1Client;
  readonly rest2: Rest2Client;
  readonly grpc: GrpcClient;
  readonly web: GrpcWebClient;

  constructor({ url, authority }: Pick<Started, 'url' | 'authority'>) {
    this.rest1 = new Rest1Client(url);
    this.rest2 = new Rest2Client(url);
    this.grpc = new GrpcClient(authority);
    this.web = new GrpcWebClient(url);
  }

  get all(): readonly Client[] {
    return [this.rest1, this.rest2, this.grpc, this.web];
  }

  /** Those whose protocol has server streams. */
  get streaming(): readonly Client[] {
    return this.all.filter((client) => client.hasStreams);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((client) => client.close()));
  }
}

/** Makes a test of each protocol out of one. */
export function inEach(
  clients: readonly Client[],
  what: string,
  check: (client: Client) => Promise<void>,
): void {
  for (const client of clients) test(`${what}, over ${client.name}`, () => check(client));
}
