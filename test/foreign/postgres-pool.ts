/** A pool before PostgreSQL that shares one connection: whoever comes has it until its statement is done. */
import net from 'node:net';
import { PostgresMessages } from './postgres-messages.ts';

/** AuthenticationOk, a BackendKeyData of the pool's own, and ReadyForQuery. */
const WELCOME = Buffer.concat([
  Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]),
  Buffer.from([0x4b, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 1]),
  Buffer.from([0x5a, 0, 0, 0, 5, 0x49]),
]);

/** How ReadyForQuery begins; the state of the transaction follows. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5]);
const IDLE = 0x49;
const TERMINATE = 0x58;

/** Knows simple statements alone. */
export class SharingPool implements AsyncDisposable {
  readonly port: number;
  readonly #listener: net.Server;
  readonly #target: number;
  #server: net.Socket | undefined;
  /** Who has the connection; the others wait. */
  #owner: net.Socket | undefined;
  #waiting: { readonly client: net.Socket; readonly raw: Buffer }[] = [];

  private constructor(listener: net.Server, target: number) {
    this.port = (listener.address() as net.AddressInfo).port;
    this.#listener = listener;
    this.#target = target;
    listener.on('connection', (client) => this.#take(client));
  }

  /** @param target PostgreSQL's port on this machine */
  static async start(target: number): Promise<SharingPool> {
    const listener = net.createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return new SharingPool(listener, target);
  }

  #take(client: net.Socket): void {
    const messages = new PostgresMessages();
    client.on('error', () => {});
    client.on('data', (bytes: Buffer) => {
      for (const { raw, startup } of messages.take(bytes)) {
        if (startup !== undefined) this.#welcome(client, raw);
        else if (raw[0] === TERMINATE) client.end();
        else this.#send(client, raw);
      }
    });
  }

  #welcome(client: net.Socket, startup: Buffer): void {
    if (this.#server !== undefined) {
      client.write(WELCOME);
      return;
    }
    this.#server = net.connect(this.#target, '127.0.0.1');
    this.#server.write(startup);
    this.#server.on('error', () => {});
    this.#owner = client;
    let isWelcome = false;
    this.#server.on('data', (bytes: Buffer) => {
      // The server's own welcome is for the pool; what it ends with is short, and comes in one piece.
      const to = this.#owner;
      if (isWelcome) to?.write(bytes);
      const ready = bytes.lastIndexOf(READY);
      if (ready === -1) return;
      if (!isWelcome) to?.write(WELCOME);
      isWelcome = true;
      if (bytes[ready + READY.length] === IDLE) this.#next();
    });
  }

  #send(client: net.Socket, raw: Buffer): void {
    if (this.#owner !== undefined && this.#owner !== client) {
      this.#waiting.push({ client, raw });
      return;
    }
    this.#owner = client;
    this.#server?.write(raw);
  }

  #next(): void {
    this.#owner = undefined;
    const [next] = this.#waiting.splice(0, 1);
    if (next !== undefined) this.#send(next.client, next.raw);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server?.destroy();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}
