/** A crowd of connections that want nothing: some are idle, some send a byte now and then. */
import net from 'node:net';
import tls from 'node:tls';
import { END_HEADERS, FrameType, frameOf, headersOf, PREFACE, pseudo } from './http2-frames.ts';

const POST = 'POST /v1/sessions HTTP/1.1\r\nHost: x\r\n';
const OPENED = Buffer.concat([PREFACE, frameOf(FrameType.SETTINGS, 0, 0)]);
const STREAM = headersOf(1, pseudo('POST', '/v1/sessions'), END_HEADERS);
const BYTE = frameOf(FrameType.DATA, 0, 1, Buffer.from(' '));
const PING = frameOf(FrameType.PING, 0, 0, Buffer.alloc(8));

interface Kind {
  /** What the client says it speaks, behind TLS. */
  readonly protocol: 'h2' | 'http/1.1';
  /** Sent at once. */
  readonly first: string | Buffer;
  /** Sent again and again, a byte at a time. */
  readonly drip?: string | Buffer;
  /** Behind TLS the connection stays without a handshake. */
  readonly isRaw?: true;
}

const IDLE: readonly Kind[] = [
  { protocol: 'http/1.1', first: '', isRaw: true },
  { protocol: 'h2', first: 'PRI * HTTP/2.0\r\n' },
  { protocol: 'h2', first: OPENED },
  { protocol: 'http/1.1', first: 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' },
];

const DRIBBLING: readonly Kind[] = [
  { protocol: 'http/1.1', first: POST, drip: 'a: b\r\n' },
  { protocol: 'http/1.1', first: `${POST}Content-Length: 100000\r\n\r\n`, drip: ' ' },
  { protocol: 'http/1.1', first: `${POST}Transfer-Encoding: chunked\r\n\r\n`, drip: '1\r\n \r\n' },
  { protocol: 'h2', first: OPENED, drip: PING },
  { protocol: 'h2', first: Buffer.concat([OPENED, STREAM]), drip: BYTE },
];

export interface CrowdOptions {
  readonly port: number;
  readonly isTls: boolean;
  readonly idle: number;
  readonly dribbling: number;
  /** Whether a connection that is cut comes back. */
  readonly comesBack: boolean;
}

/** Connections that are being made at the same time. */
const CONNECTING_MAX = 100;
/**
 * Each of these has its share of the crowd: one alone would meet the server's limit for an address,
 * and then the system's own number of ports.
 */
const ADDRESSES = Array.from({ length: 20 }, (_, i) => `127.0.0.${i + 2}`);
/** How often one connection sends a byte, and how many groups of them take turns in that time. */
const DRIP_MS = 1000;
const TURNS = 20;

interface Member {
  readonly kind: Kind;
  readonly localAddress: string;
  readonly turn: number;
  socket?: net.Socket;
  sent: number;
}

export class Crowd {
  readonly #options: CrowdOptions;
  readonly #members: Member[];
  readonly #waiting: Member[];
  readonly #timer: NodeJS.Timeout;
  readonly #complete = Promise.withResolvers<void>();
  #connecting = 0;
  /** Those that have not been connected yet. */
  #missing: number;
  #isOver = false;
  #turn = 0;
  /** Connections that are open now. */
  open = 0;
  /** Those that the server has closed, so far. */
  cut = 0;
  /** Bytes that have dribbled, so far. */
  dribbled = 0;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#members = [...membersOf(IDLE, options.idle), ...membersOf(DRIBBLING, options.dribbling)];
    this.#waiting = [...this.#members];
    this.#missing = this.#members.length;
    this.#timer = setInterval(() => this.#drip(), DRIP_MS / TURNS);
  }

  /** Resolves when each has been connected once. */
  async gather(): Promise<void> {
    this.#connect();
    await this.#complete.promise;
  }

  /** Ends all; resolves when they are closed. */
  async leave(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#timer);
    const sockets = this.#members.flatMap(({ socket }) => socket ?? []);
    await Promise.all(
      sockets.map((socket) => {
        if (socket.closed) return undefined;
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.destroy();
        return closed;
      }),
    );
  }

  #connect(): void {
    while (!this.#isOver && this.#connecting < CONNECTING_MAX) {
      const member = this.#waiting.shift();
      if (member === undefined) break;
      this.#connecting++;
      this.#begin(member);
    }
  }

  #begin(member: Member): void {
    const { port, isTls } = this.#options;
    const to = { port, host: '127.0.0.1', localAddress: member.localAddress, noDelay: true };
    const isSecure = isTls && member.kind.isRaw === undefined;
    let isOpen = false;
    const isFirst = member.socket === undefined;
    const begun = () => {
      isOpen = true;
      if (isFirst && --this.#missing === 0) this.#complete.resolve();
      this.open++;
      this.#connecting--;
      if (member.kind.first.length > 0) socket.write(member.kind.first);
      this.#connect();
    };
    const socket = isSecure
      ? tls.connect(
          { ...to, ALPNProtocols: [member.kind.protocol], rejectUnauthorized: false },
          begun,
        )
      : net.connect(to, begun);
    member.socket = socket;
    member.sent = 0;
    // A client that answers no ping and reads no answer would be another kind.
    socket.resume();
    socket.on('error', () => {});
    socket.on('close', () => {
      if (isOpen) this.open--;
      else this.#connecting--;
      if (this.#isOver) return;
      this.cut++;
      if (this.#options.comesBack) this.#waiting.push(member);
      this.#connect();
    });
  }

  #drip(): void {
    this.#turn = (this.#turn + 1) % TURNS;
    for (const member of this.#members) {
      const { drip } = member.kind;
      const { socket } = member;
      if (drip === undefined || member.turn !== this.#turn || !socket?.writable) continue;
      const at = member.sent % drip.length;
      socket.write(drip.slice(at, at + 1));
      member.sent++;
      this.dribbled++;
    }
  }
}

function membersOf(kinds: readonly Kind[], count: number): Member[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: kinds[i % kinds.length] as Kind,
    localAddress: ADDRESSES[i % ADDRESSES.length] as string,
    turn: i % TURNS,
    sent: 0,
  }));
}
