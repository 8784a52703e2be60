/** The limit of REST: node:http that reads the body and answers the same bytes to all. */
import http from 'node:http';
import { answerJson } from './answer.js';
import { ready } from './ready.js';

const headers = { 'content-type': 'application/json', 'content-length': answerJson.length };

const server = http.createServer((request, response) => {
  request.on('data', () => {});
  request.on('end', () => {
    response.writeHead(200, headers);
    response.end(answerJson);
  });
});
server.listen(0, '127.0.0.1', () => ready(server.address().port));
