/** Introspection (RFC 7662) of opaque access tokens by oidc-provider, which holds them in memory. */
import Provider from 'oidc-provider';
import { ready } from './ready.js';

/** As many as Propusk is asked about, each in its turn: what is in no cache of the processor takes longer. */
const TOKENS = Math.min(20_000, Number(process.env.BENCH_KEYS));
const CLIENT = { id: 'gateway', secret: 'a-secret-of-the-gateway' };

/** Everything in one Map that forgets nothing: less work than its own adapter, which counts use. */
class MemoryAdapter {
  static held = new Map();
  constructor(name) {
    this.name = name;
  }
  async upsert(id, payload) {
    MemoryAdapter.held.set(`${this.name}:${id}`, payload);
  }
  async find(id) {
    return MemoryAdapter.held.get(`${this.name}:${id}`);
  }
  async consume() {}
  async destroy(id) {
    MemoryAdapter.held.delete(`${this.name}:${id}`);
  }
  async revokeByGrantId() {}
}

const provider = new Provider('http://127.0.0.1', {
  adapter: MemoryAdapter,
  clients: [
    {
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_post',
    },
  ],
  scopes: ['orders'],
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: false },
  },
  ttl: { ClientCredentials: 86_400 },
});
provider.on('server_error', (_, error) => process.stderr.write(`${error.stack}\n`));

const client = await provider.Client.find(CLIENT.id);
const bodies = [];
for (let i = 0; i < TOKENS; i++) {
  const token = await new provider.ClientCredentials({ client, scope: 'orders' }).save();
  bodies.push(
    new URLSearchParams({ token, client_id: CLIENT.id, client_secret: CLIENT.secret }).toString(),
  );
}
const server = provider.listen(0, '127.0.0.1', () => ready(server.address().port, { bodies }));
