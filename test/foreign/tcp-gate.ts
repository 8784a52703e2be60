/** A way to a server that can be closed at a moment of the test's choice. */
import net from 'node:net';
import { atExit } from '../start.ts';

export class TcpGate implements AsyncDisposable {
  readonly port: number;
  /** Resolves when the gate is closed. */
  readonly isHeld: Promise<void>;
  readonly #server: net.Server;
  readonly #sockets: Set<net.Socket>;

  private constructor(server: net.Server, sockets: Set<net.Socket>, isHeld: Promise<void>) {
    this.port = (server.address() as net.AddressInfo).port;
    this.isHeld = isHeld;
    this.#server = server;
    this.#sockets = sockets;
  }

  /**
   * @param port where the server is
   * @param words when a connection has sent them, one after the other, nothing is let through any more
   * @param isLetThrough the last of them still is
   */
  static async open(
    port: number,
    words: readonly string[],
    isLetThrough = false,
  ): Promise<TcpGate> {
    const held = Promise.withResolvers<void>();
    const sockets = new Set<net.Socket>();
    const server = net.createServer((client) => {
      const target = net.connect(port, '127.0.0.1');
      let sent = 0;
      const isHeld = () => sent === words.length;
      for (const socket of [client, target]) {
        sockets.add(socket.on('error', () => {}));
        const other = socket === client ? target : client;
        socket.on('close', () => other.destroy());
      }
      target.on('data', (data) => isHeld() || client.write(data));
      client.on('data', (data) => {
        if (isHeld()) return;
        while (!isHeld() && data.includes(words[sent] ?? '')) sent++;
        if (!isHeld() || isLetThrough) target.write(data);
        if (isHeld()) held.resolve();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const gate = new TcpGate(server, sockets, held.promise);
    atExit.push(() => gate.cut());
    return gate;
  }

  /** Breaks all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
