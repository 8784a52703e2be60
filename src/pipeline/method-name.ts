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
