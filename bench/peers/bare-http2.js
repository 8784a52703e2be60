/** The limit of gRPC: node:http2 that reads the message and answers the same bytes to all. */
import http2 from 'node:http2';
import { answerMessage } from './answer.js';
import { ready } from './ready.js';

const headers = { ':status': 200, 'content-type': 'application/grpc' };
const trailers = { 'grpc-status': '0' };

const server = http2.createServer();
server.on('stream', (stream) => {
  stream.on('data', () => {});
  stream.on('end', () => {
    stream.respond(headers, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(answerMessage);
  });
});
server.listen(0, '127.0.0.1', () => ready(server.address().port));
