/** What the contract says of a method beside its messages, read once: to read an option takes long. */
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
