/** Stands between nodes and PostgreSQL, knows what each connection is for, and cuts where it is told. */
import net from 'node:net';
import { type ClientMessage, PostgresMessages } from './postgres-messages.ts';

/** What becomes of a COMMIT: it passes, is cut before the server has it, or before its answer is sent. */
export type Commit = 'pass' | 'lose' | 'hide';

/** The connection through which a node writes, by its application_name. */
export const WRITER = 'propusk writer';
/** That through which it hears of what others change. */
export const FEED = 'propusk feed';
/** Those through which it reads. */
export const READER = 'propusk reader';
/** Those through which it asks what became of a transaction. */
export const FATE = 'propusk fate';

interface Connection {
  readonly client: net.Socket;
  readonly server: net.Socket;
  /** Its application_name; empty before the client has told it. */
  purpose: string;
  /** The server has taken it. */
  isOpen: boolean;
  /** Nothing is heard of it any more, since it asked for what hangs. */
  isHung: boolean;
}

export class PostgresProxy implements AsyncDisposable {
  readonly port: number;
  /** How often each became of a COMMIT of a writer. */
  readonly commits: Record<Commit, number> = { pass: 0, lose: 0, hide: 0 };
  readonly #target: number;
  readonly #listener: net.Server;
  readonly #connections = new Set<Connection>();
  #refused: (purpose: string) => boolean = () => false;
  #hung: (purpose: string) => boolean = () => false;
  #hungAt: (sql: string) => boolean = () => false;
  #fateOfCommit: () => Commit = () => 'pass';

  private constructor(listener: net.Server, target: number) {
    this.#listener = listener;
    this.#target = target;
    this.port = (listener.address() as net.AddressInfo).port;
    listener.on('connection', (client) => this.#take(client));
  }

  /** @param target PostgreSQL's port on this machine */
  static async start(target: number): Promise<PostgresProxy> {
    const listener = net.createServer({ noDelay: true });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return new PostgresProxy(listener, target);
  }

  /** How many connections are open; of a purpose, or all of them. */
  open(purpose?: string): number {
    const all = [...this.#connections].filter(({ isOpen }) => isOpen);
    return all.filter((each) => purpose === undefined || each.purpose === purpose).length;
  }

  /** Cuts those connections, and from now on every new one that is for the same. */
  refuse(isRefused: (purpose: string) => boolean): void {
    this.#refused = isRefused;
    for (const each of this.#connections) if (isRefused(each.purpose)) cut(each);
  }

  /** Hears nothing of those connections any more, nor of new ones for the same: they hang. */
  hang(isHung: (purpose: string) => boolean): void {
    this.#hung = isHung;
  }

  /** Hears nothing of a connection any more from when it asks for such a statement, whatever it is for. */
  hangAt(isHung: (sql: string) => boolean): void {
    this.#hungAt = isHung;
  }

  /** Lets all new connections through again; those that hang are cut. */
  allow(): void {
    for (const each of this.#connections) if (this.#hangs(each)) cut(each);
    this.#hung = () => false;
    this.#hungAt = () => false;
    this.#refused = () => false;
  }

  /** From now on `fate` is asked at each COMMIT of a writer. */
  atCommit(fate: () => Commit): void {
    this.#fateOfCommit = fate;
  }

  #take(client: net.Socket): void {
    const server = net.connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    const connection: Connection = { client, server, purpose: '', isOpen: false, isHung: false };
    server.on('connect', () => {
      connection.isOpen = true;
    });
    this.#connections.add(connection);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => {});
      // What was sent before the end still arrives.
      one.on('end', () => other.end());
      one.on('close', () => {
        other.destroySoon();
        if (one === server) connection.isOpen = false;
        if (client.destroyed && server.destroyed) this.#connections.delete(connection);
      });
    }
    const messages = new PostgresMessages();
    client.on('data', (bytes: Buffer) => this.#forward(connection, messages, bytes));
    server.on('data', (bytes) => {
      if (!this.#hangs(connection)) client.write(bytes);
    });
  }

  #forward(connection: Connection, messages: PostgresMessages, bytes: Buffer): void {
    for (const message of messages.take(bytes)) if (!this.#pass(connection, message)) return;
  }

  #hangs({ purpose, isHung }: Connection): boolean {
    return isHung || this.#hung(purpose);
  }

  /** False: the connection is over. */
  #pass(connection: Connection, { raw, startup, sql, isCommit }: ClientMessage): boolean {
    if (startup !== undefined) connection.purpose = startup.application_name ?? '';
    if (sql !== undefined && this.#hungAt(sql)) connection.isHung = true;
    if (this.#hangs(connection)) return true;
    const { client, server, purpose } = connection;
    const fate = isCommit && purpose === WRITER ? this.#fateOfCommit() : 'pass';
    if (isCommit && purpose === WRITER) this.commits[fate] += 1;
    if (fate === 'lose' || (startup !== undefined && this.#refused(purpose))) {
      cut(connection);
      return false;
    }
    server.write(raw);
    if (fate === 'pass') return true;
    // The server reads it, and the end after it; nobody hears its answer.
    server.end(SYNC);
    server.removeAllListeners('data').resume();
    client.destroy();
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    for (const each of this.#connections) cut(each);
    await closed;
  }
}

/** Ends what an extended query asks for; without it the server may wait for more before it commits. */
const SYNC = Buffer.from([0x53, 0, 0, 0, 4]);

function cut({ client, server }: Connection): void {
  client.destroy();
  server.destroy();
}
