/** The check of API keys by better-auth behind a handler of node:http, without its router; wherever the keys are. */
import http from 'node:http';
import { apiKey } from '@better-auth/api-key';
import { betterAuth } from 'better-auth';
import { ready } from './ready.js';

const KEYS = 500;

/** Keys are looked for in a Map, which is less work than any database. */
export function inMap() {
  const held = new Map();
  const customStorage = {
    get: async (name) => held.get(name) ?? null,
    set: async (name, value) => {
      held.set(name, value);
    },
    delete: async (name) => {
      held.delete(name);
    },
  };
  return { storage: 'secondary-storage', customStorage };
}

/**
 * @param {object} database as better-auth takes it
 * @param {object} storage where keys are looked for
 */
export function checkerOf(database, storage) {
  return betterAuth({
    secret: 'a-secret-of-the-benchmark-that-is-long-enough',
    baseURL: 'http://127.0.0.1',
    database,
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    logger: { level: 'error' },
    // What it can do after the answer is done after it; uses are written to a database before.
    advanced: { backgroundTasks: { handler: () => {} } },
    plugins: [apiKey({ rateLimit: { enabled: false }, deferUpdates: true, ...storage })],
  });
}

/** Makes the keys, and answers whether one that is sent is one of them. */
export async function serve(auth) {
  const { user } = await auth.api.signUpEmail({
    body: { email: 'trader@example.com', password: 'a-password-of-the-benchmark', name: 'Trader' },
  });
  const bodies = [];
  for (let i = 0; i < KEYS; i++) {
    const { key } = await auth.api.createApiKey({ body: { userId: user.id, name: `key ${i}` } });
    bodies.push(JSON.stringify({ key }));
  }
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const { key } = JSON.parse(Buffer.concat(chunks).toString());
      const result = await auth.api.verifyApiKey({ body: { key } });
      const answer = Buffer.from(JSON.stringify(result));
      const status = result.valid ? 200 : 401;
      const headers = { 'content-type': 'application/json', 'content-length': answer.length };
      response.writeHead(status, headers).end(answer);
    });
  });
  server.listen(0, '127.0.0.1', () => ready(server.address().port, { bodies }));
}
