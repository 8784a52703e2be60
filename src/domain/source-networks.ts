/** From where a key may sign in and have its tokens renewed. */
import type { FieldViolation } from './errors.ts';
import { isOf, networkText, parseIp, parseNetwork, withoutZone } from './network.ts';

/** Networks of one key. */
export const SOURCE_NETWORKS_MAX = 100;

/** The networks, each in its one form and once, or everything that is wrong with them. */
export type CheckedNetworks =
  | { readonly networks: readonly string[] }
  | { readonly violations: readonly FieldViolation[] };

/**
 * Reads the networks that a request names.
 * @param field the name of the list, for what is wrong with it: `source_networks`
 */
export function checkSourceNetworks(texts: readonly string[], field: string): CheckedNetworks {
  if (texts.length > SOURCE_NETWORKS_MAX) {
    const description = `has ${texts.length} networks; at most ${SOURCE_NETWORKS_MAX} are taken`;
    return { violations: [{ field, description }] };
  }
  const networks = new Set<string>();
  const violations: FieldViolation[] = [];
  for (const [i, text] of texts.entries()) {
    const read = parseNetwork(text);
    if (typeof read !== 'string') networks.add(networkText(read));
    else violations.push({ field: `${field}[${i}]`, description: read });
  }
  return violations.length > 0 ? { violations } : { networks: [...networks] };
}

/**
 * True where a key with these networks may be used from the address; one without networks may be
 * used from everywhere. An IPv4 address in IPv6's clothes is the IPv4 address. What cannot be read,
 * be it a network or the address, lets nobody in.
 */
export function isSourceAllowed(networks: readonly string[], address: string): boolean {
  if (networks.length === 0) return true;
  const ip = parseIp(withoutZone(address));
  if (ip === undefined) return false;
  return networks.some((text) => {
    const network = parseNetwork(text);
    return typeof network !== 'string' && isOf(network, ip);
  });
}
