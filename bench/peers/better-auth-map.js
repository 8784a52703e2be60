/** API keys of better-auth in memory alone: gone with the process, and the least that it can do. */
import { memoryAdapter } from 'better-auth/adapters/memory';
import { checkerOf, inMap, serve } from './api-keys.js';

const tables = { user: [], session: [], account: [], verification: [], apikey: [] };
await serve(checkerOf(memoryAdapter(tables), inMap()));
