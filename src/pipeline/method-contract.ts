/** What the contract says of a method beside its messages; options are read once, since that takes long. */
import { type DescMethod, getOption } from '@bufbuild/protobuf';
import { type MethodContract, method as option } from '../gen/propusk/contract/v1/contract_pb.js';

const known = new Map<DescMethod, MethodContract>();

/** The method's option `propusk.contract.v1.method`. */
export function contractOf(method: DescMethod): MethodContract {
  let contract = known.get(method);
  if (contract === undefined) {
    contract = getOption(method, option);
    known.set(method, contract);
  }
  return contract;
}

/** True for a method that streams either way; not where there is no method. */
export function isStream(method: DescMethod | undefined): boolean {
  return method !== undefined && method.methodKind !== 'unary';
}
