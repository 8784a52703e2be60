/**
 * A backend that knows nothing of tokens: whoever reaches it was let in by the proxy before it. It
 * answers what it was passed. PORT says where it listens, on this machine alone: nobody may get past the
 * proxy.
 */
import http from 'node:http';

/** What a proxy says of the caller and its request, which no caller may say of itself. */
const TOLD = /^x-(?:propusk-.+|forwarded-(?:method|uri))$/;

const server = http.createServer((request, response) => {
  const told = Object.entries(request.headers).filter(([name]) => TOLD.test(name));
  const body = { method: request.method, url: request.url, caller: Object.fromEntries(told) };
  request.resume();
  request.on('end', () => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  });
});

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`backend on http://127.0.0.1:${server.address().port}`);
});
