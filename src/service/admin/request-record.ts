/** What makes a request known when it comes again. */
import { type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';
import type { Call } from '../../pipeline/call.ts';
import type { RequestRecord } from '../../store/store.ts';
import { type AdminParts, operatorOf } from './administration.ts';
import { Fields } from './fields.ts';

/** A name that a caller gives to a request. */
const REQUEST_ID = /^[!-~]{1,64}$/;

/** A request that may have a name, so that it can be sent again. */
export interface Asked<M extends Message = Message> {
  readonly schema: DescMessage;
  readonly request: M & { readonly requestId: string };
  /** True where its first answer holds a secret. */
  readonly showsSecret?: boolean;
}

/**
 * What is remembered of a request; undefined where it has no name.
 * @throws AppError INVALID_REQUEST
 */
export function recordOf(
  { schema, request }: Asked,
  call: Call,
  { masterKey, clock }: AdminParts,
): RequestRecord | undefined {
  const { requestId } = request;
  if (requestId === '') return undefined;
  const fields = new Fields();
  if (!REQUEST_ID.test(requestId)) {
    fields.refuse('request_id', 'is not 1 to 64 printable ASCII characters without blanks');
  }
  fields.check();
  const bytes = Buffer.from(toBinary(schema, request)).toString('base64');
  return {
    operatorId: operatorOf(call).id,
    requestId,
    // Keyed, since the body may hold a secret.
    bodyHash: masterKey.macOfSecret(`${schema.typeName} ${bytes}`),
    atMs: clock.now(),
  };
}
