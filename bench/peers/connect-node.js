/**
 * TokenDetails by connect-node, over gRPC and over its own protocol with JSON (its REST): a JWT
 * verified on each call.
 */
import http from 'node:http';
import http2 from 'node:http2';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import {
  AuthService,
  MDPermission_QuoteLevel as QuoteLevel,
} from '../../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { ready } from './ready.js';
import { detailsOf } from './tokens.js';

function tokenDetails({ token }) {
  let details;
  try {
    details = detailsOf(token);
  } catch {
    throw new ConnectError('the token is not good', Code.Unauthenticated);
  }
  const { claims, grant } = details;
  return {
    createdAt: timestampFromMs(claims.iat * 1000),
    expiresAt: timestampFromMs(claims.exp * 1000),
    mdPermissions: grant.md_permissions.map((one) => ({
      quoteLevel: QuoteLevel[one.quote_level.slice('QUOTE_LEVEL_'.length)],
      delayMinutes: one.delay_minutes,
      condition: { case: 'mic', value: one.mic },
    })),
    accountIds: grant.account_ids,
    readonly: grant.readonly,
  };
}

const handler = connectNodeAdapter({
  routes: (router) => router.service(AuthService, { tokenDetails }),
  jsonOptions: { alwaysEmitImplicit: true, useProtoFieldName: true },
});
const rest = http.createServer(handler);
const grpc = http2.createServer(handler);
rest.listen(0, '127.0.0.1', () => {
  grpc.listen(0, '127.0.0.1', () =>
    ready(grpc.address().port, { secondPort: rest.address().port }),
  );
});
