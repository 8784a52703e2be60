/** The check of API keys by better-auth, which holds them in memory; behind a handler of node:http. */
import http from 'node:http';
import { apiKey } from '@better-auth/api-key';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { ready } from './ready.js';

const KEYS = 500;

const held = new Map();
/** Where keys are: a Map is less work than any database. */
const storage = {
  get: async (name) => held.get(name) ?? null,
  set: async (name, value) => {
    held.set(name, value);
  },
  delete: async (name) => {
    held.delete(name);
  },
};

const auth = betterAuth({
  secret: 'a-secret-of-the-benchmark-that-is-long-enough',
  baseURL: 'http://127.0.0.1',
  database: memoryAdapter({ user: [], session: [], account: [], verification: [], apikey: [] }),
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  logger: { level: 'error' },
  // What need not be done before the answer is done after it.
  advanced: { backgroundTasks: { handler: () => {} } },
  plugins: [
    apiKey({
      rateLimit: { enabled: false },
      storage: 'secondary-storage',
      customStorage: storage,
      deferUpdates: true,
    }),
  ],
});

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
