/** Methods by the names that people give them in settings. */
import type { DescMethod, DescService } from '@bufbuild/protobuf';

/**
 * The method that `name` means: `TokenDetails` or `grpc.tradeapi.v1.auth.AuthService/TokenDetails`.
 * @returns the method, or one sentence that says what is wrong and which there are
 */
export function methodNamed(name: string, services: readonly DescService[]): DescMethod | string {
  const methods = services.flatMap((service) => service.methods);
  const found = methods.find((m) => name === m.name || name === `${m.parent.typeName}/${m.name}`);
  return found ?? `names no method; there are ${methods.map((m) => m.name).join(', ')}`;
}

/** A number that a setting gives to one method, or to all. */
export interface PerMethod {
  /** undefined: all that it can be given to. */
  readonly method: DescMethod | undefined;
  readonly number: number;
}

/**
 * Reads `NUMBER`, which is for all methods, or `METHOD=NUMBER`.
 * @param unit what the number counts, such as `CALLS`
 * @param max the highest number
 * @returns what was read, or one sentence that says what is wrong
 */
export function parsePerMethod(
  text: string,
  services: readonly DescService[],
  unit: string,
  max: number,
): PerMethod | string {
  const [, name, digits] = /^(?:([^=]+)=)?(\d+)$/.exec(text) ?? [];
  const number = Number(digits);
  if (!(number >= 1 && number <= max)) {
    const from = `from 1 to ${max}, such as TokenDetails=1000 or 1000`;
    return `"${text}" is not METHOD=${unit} or ${unit}, a whole number ${from}`;
  }
  const method = name === undefined ? undefined : methodNamed(name, services);
  return typeof method === 'string' ? `"${text}" ${method}` : { method, number };
}

/** What the settings give to a method: its own number before that of all, the last one of several. */
export function numberOf(method: DescMethod, settings: readonly PerMethod[]): number | undefined {
  const own = settings.findLast((each) => each.method === method);
  return (own ?? settings.findLast((each) => each.method === undefined))?.number;
}
