/** IP addresses: what is one, which network it is of, and what tells one caller from another. */

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
/** What may be an IPv6 address; whether it is one, the URL parser tells. */
const IPV6_LIKE = /^[0-9a-f:.]*:[0-9a-f:.]*$/i;
/** What comes before the 32 bits of an IPv4 address that is written as an IPv6 address. */
const MAPPED = 0xffffn;
const MAPPED_BITS = 96;
/** An IPv6 user is given a network of this many bits. */
const USER_BITS = 64n;

/** An IP address. An IPv4 address in IPv6's clothes is the IPv4 address. */
export interface IpAddress {
  /** In the one form that it has: decimals, or for IPv6 as RFC 5952 writes it. */
  readonly text: string;
  readonly bits: bigint;
  readonly width: 32 | 128;
}

/** All addresses that begin with the same bits. */
export interface Network {
  readonly width: 32 | 128;
  /** The bits that they share. */
  readonly prefix: bigint;
  /** How many bits come after those. */
  readonly restBits: bigint;
}

/** The address that a text is; undefined where it is more (a port, brackets, a zone), or none. */
export function parseIp(text: string): IpAddress | undefined {
  if (IPV4.test(text)) return ipv4(text.split('.').map(Number));
  if (!IPV6_LIKE.test(text) || !URL.canParse(`http://[${text}]`)) return undefined;
  const canonical = canonicalIpv6(text);
  const bits = BigInt(`0x${groupsOf(canonical).join('')}`);
  if (bits >> 32n !== MAPPED) return { text: canonical, bits, width: 128 };
  return ipv4(octetsOf(bits & 0xffff_ffffn));
}

/** The one form of an IPv6 address. */
function canonicalIpv6(text: string): string {
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

function octetsOf(bits: bigint): number[] {
  return [24, 16, 8, 0].map((shift) => (Number(bits) >>> shift) & 0xff);
}

function ipv4(octets: readonly number[]): IpAddress {
  const bits = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  return { text: octets.join('.'), bits: BigInt(bits), width: 32 };
}

/** The eight groups of an IPv6 address in its one form, four digits each. */
function groupsOf(canonical: string): string[] {
  const halves = canonical.split('::');
  const [before = [], after = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].map((group) => group.padStart(4, '0'));
}

/**
 * Reads an address, or a network by its first address and the number of bits that count.
 * @returns the network, or what is wrong with it: the rest of a sentence that begins with its name
 */
export function parseNetwork(text: string): Network | string {
  const [, address = '', length] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const ip = parseIp(address);
  const isMapped = ip?.width === 32 && address.includes(':');
  const bitsMax = isMapped ? 128 : ip?.width;
  const prefixBits = Number(length ?? bitsMax) - (isMapped ? MAPPED_BITS : 0);
  if (ip === undefined || !(prefixBits >= 0 && prefixBits <= ip.width)) {
    return 'is neither an IP address nor a network, such as 10.0.0.0/8 or 2001:db8::/32';
  }
  const restBits = BigInt(ip.width - prefixBits);
  const prefix = ip.bits >> restBits;
  if (prefix << restBits === ip.bits) return { width: ip.width, prefix, restBits };
  return `is an address within its network; give the network's first address, or no "/${length}"`;
}

/** A network in the one form that it has: `10.0.0.0/8`, or `192.0.2.7` for one address. */
export function networkText({ width, prefix, restBits }: Network): string {
  const bits = prefix << restBits;
  const groups = bits.toString(16).padStart(32, '0').match(/.{4}/g) ?? [];
  const first = width === 32 ? octetsOf(bits).join('.') : canonicalIpv6(groups.join(':'));
  return `${first}${restBits === 0n ? '' : `/${BigInt(width) - restBits}`}`;
}

/** True when the address is of the network. */
export function isOf({ width, prefix, restBits }: Network, ip: IpAddress): boolean {
  return ip.width === width && ip.bits >> restBits === prefix;
}

/**
 * What counts as one place: an IPv4 address, or the 64 bits that an IPv6 user is given. Text that
 * is no address stands for itself.
 */
export function networkOf(address: string): string {
  // An IPv4 address has one form, and is asked about with many a call.
  if (!address.includes(':')) return address;
  const ip = parseIp(withoutZone(address));
  if (ip === undefined) return address;
  if (ip.width === 32) return ip.text;
  const digits = (ip.bits >> USER_BITS).toString(16).padStart(16, '0');
  const groups = digits.match(/.{4}/g) ?? [];
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`;
}

/** A system names the interface of a link-local address with it. */
export function withoutZone(address: string): string {
  const at = address.indexOf('%');
  return at === -1 ? address : address.slice(0, at);
}
