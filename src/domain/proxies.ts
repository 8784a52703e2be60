/** Who calls through proxies: what `X-Forwarded-For` and `Forwarded` say, as far as it is believed. */
import { isOf, type Network, parseIp, withoutZone } from './network.ts';

/** A node of RFC 7239: an IPv4 address or a bracketed IPv6 one, with a port or without. */
const NODE = /^(?:\[([^\]]*:[^\]]*)\]|([^:[\]]*))(?::(?:\d{1,5}|_[\w.-]+))?$/;
const TOKEN = "[!#$%&'*+.^_`|~\\w-]+";
/**
 * `name=value` up to the next semicolon; between two of those may also be nothing. Blanks are matched
 * in one way only: where two ways lead through them, a long row of them takes for ever.
 */
const PAIR = new RegExp(
  `[ \\t]*(?:(${TOKEN})=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)")[ \\t]*)?(?:;|$)`,
  'y',
);

/** Lower-case names. */
type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * From the newest hop to the oldest: the address that the proxy of that hop was called from, in its
 * one form; undefined where the proxy does not tell, or nobody can read it.
 */
type Hops = Generator<string | undefined, undefined>;

export class TrustedProxies {
  readonly #networks: readonly Network[];

  constructor(networks: readonly Network[]) {
    this.#networks = networks;
  }

  /** True for the address of a proxy that is believed. */
  isTrusted(address: string): boolean {
    // What is never used must cost nothing.
    if (this.#networks.length === 0) return false;
    const ip = parseIp(withoutZone(address));
    return ip !== undefined && this.#networks.some((network) => isOf(network, ip));
  }

  /**
   * Who calls: the first address, from the peer backwards, that is no trusted proxy's. Where what was
   * before it is not told, or not readable, it is the last one that is known. Where both headers are
   * there they are believed as far as they agree: a proxy writes one of them, and may hand on
   * whatever its caller wrote into the other.
   */
  remoteAddressOf(peer: string, headers: Headers): string {
    let here = peer;
    if (!this.isTrusted(here)) return here;
    const told: Hops[] = [];
    const { 'x-forwarded-for': list, forwarded } = headers;
    if (list !== undefined) told.push(hopsOfList(String(list)));
    if (forwarded !== undefined) told.push(hopsOfForwarded(String(forwarded)));
    if (told.length === 0) return here;
    do {
      const [before, ...others] = told.map((hops) => hops.next().value);
      if (before === undefined || others.some((other) => other !== before)) break;
      here = before;
    } while (this.isTrusted(here));
    return here;
  }
}

/** Reads `X-Forwarded-For`: addresses, the newest last, with a port or without. */
function* hopsOfList(text: string): Hops {
  for (const element of text.split(',').reverse()) {
    const node = element.trim();
    // In a list of HTTP an empty element is none.
    if (node !== '') yield parseIp(node)?.text ?? addressOf(node);
  }
}

/** Reads `Forwarded` (RFC 7239), the newest hop last. */
function* hopsOfForwarded(text: string): Hops {
  for (let end = text.length; end >= 0; ) {
    const comma = commaBefore(text, end);
    const element = text.slice(comma + 1, end);
    if (element.trim() !== '') yield addressOf(forOf(element) ?? '');
    end = comma;
  }
}

/**
 * The last comma before `end` that separates; -1 where none does. It is looked for from the end: what
 * a trusted proxy wrote is well-formed and comes last, and a quote that its caller left open before
 * it must not take it in.
 */
function commaBefore(text: string, end: number): number {
  let isQuoted = false;
  for (let at = end - 1; at >= 0; at--) {
    if (text[at] === '"' && !(isQuoted && isEscaped(text, at))) isQuoted = !isQuoted;
    else if (text[at] === ',' && !isQuoted) return at;
  }
  return -1;
}

function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text[first - 1] === '\\') first--;
  return (at - first) % 2 === 1;
}

/** The value of `for` in one element; undefined where it has none, more than one, or is no element. */
function forOf(element: string): string | undefined {
  let found: string | undefined;
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < element.length) {
    const pair = PAIR.exec(element);
    if (pair === null) return undefined;
    const [, name, token, quoted] = pair;
    if (name?.toLowerCase() !== 'for') continue;
    if (found !== undefined) return undefined;
    found = token ?? quoted?.replace(/\\(.)/g, '$1');
  }
  return found;
}

/** The address of a node; undefined for `unknown` and for names that hide one. */
function addressOf(node: string): string | undefined {
  const [, bracketed, plain] = NODE.exec(node) ?? [];
  return parseIp(bracketed ?? plain ?? '')?.text;
}
