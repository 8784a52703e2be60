/** Remote addresses, as far as they tell one caller from another. */

/**
 * What counts as one place: an IPv4 address, or the 64 bits that an IPv6 user is given. Text that
 * is no address stands for itself. An IPv4 address in IPv6's clothes is the IPv4 address.
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!address.includes(':')) return address;
  const [plain = ''] = address.split('%');
  const [left = '', right] = plain.split('::');
  const groups = left === '' ? [] : left.split(':');
  if (right !== undefined) {
    const after = right === '' ? [] : right.split(':');
    // A last group in IPv4's form is two groups.
    const taken = groups.length + after.length + (right.includes('.') ? 1 : 0);
    groups.push(...Array.from({ length: Math.max(0, 8 - taken) }, () => '0'), ...after);
  }
  const network = groups.slice(0, 4).map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''));
  return `${network.join(':')}::/64`;
}
