/** API keys of better-auth in a Map, which is less work than any database, and gone with the process. */
import { memoryAdapter } from 'better-auth/adapters/memory';
import { checkerOf, serve } from './api-keys.js';

const held = new Map();
const storage = {
  get: async (name) => held.get(name) ?? null,
  set: async (name, value) => {
    held.set(name, value);
  },
  delete: async (name) => {
    held.delete(name);
  },
};
const tables = { user: [], session: [], account: [], verification: [], apikey: [] };
await serve(
  checkerOf(memoryAdapter(tables), { storage: 'secondary-storage', customStorage: storage }),
);
