/** Addresses and networks in the one form in which the server keeps them. */

const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;
const MAPPED_BITS = 96;

/**
 * `192.0.2.7/32` is `192.0.2.7`, `2001:DB8:0::/32` is `2001:db8::/32`, and an IPv4 address in IPv6's
 * clothes is the IPv4 address. What is none of these stays as it is: the server says what is wrong with it.
 */
export function networkForm(text: string): string {
  const [address = '', length] = text.split('/');
  const isIpv6 = address.includes(':') && URL.canParse(`http://[${address}]`);
  const canonical = isIpv6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
  const [, high, low] = MAPPED.exec(canonical) ?? [];
  if (high !== undefined && low !== undefined) {
    const octets = [high, low].flatMap((group) => {
      const bits = Number.parseInt(group, 16);
      return [bits >> 8, bits & 0xff];
    });
    return withLength(octets.join('.'), Number(length ?? 128) - MAPPED_BITS, 32);
  }
  if (length === undefined) return canonical;
  return withLength(canonical, Number(length), isIpv6 ? 128 : 32);
}

function withLength(address: string, bits: number, width: number): string {
  return bits === width ? address : `${address}/${bits}`;
}
