/** TokenDetails over gRPC as people write it with grpc-js: a JWT verified on each call. */
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ready } from './ready.js';
import { detailsOf } from './tokens.js';

const root = path.join(import.meta.dirname, '..', '..');
const definition = loadSync('grpc/tradeapi/v1/auth/auth_service.proto', {
  includeDirs: [path.join(root, 'proto'), path.join(root, 'node_modules', 'google-proto-files')],
  keepCase: true,
});
const { AuthService } = grpc.loadPackageDefinition(definition).grpc.tradeapi.v1.auth;

const server = new grpc.Server();
server.addService(AuthService.service, {
  TokenDetails(call, callback) {
    try {
      const { claims, grant } = detailsOf(call.request.token);
      const [createdAt, expiresAt] = [claims.iat, claims.exp].map((seconds) => ({ seconds }));
      callback(null, { created_at: createdAt, expires_at: expiresAt, ...grant });
    } catch {
      callback({ code: grpc.status.UNAUTHENTICATED, details: 'the token is not good' });
    }
  },
});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  ready(port);
});
