/** TokenDetails as people write it with fastify: schemas in and out, a JWT verified on each call. */
import fastify from 'fastify';
import { ready } from './ready.js';
import { detailsOf } from './tokens.js';

const text = { type: 'string' };
const permission = {
  type: 'object',
  properties: { quote_level: text, delay_minutes: { type: 'integer' }, mic: text },
};
const schema = {
  body: { type: 'object', properties: { token: text }, required: ['token'] },
  response: {
    200: {
      type: 'object',
      properties: {
        created_at: text,
        expires_at: text,
        md_permissions: { type: 'array', items: permission },
        account_ids: { type: 'array', items: text },
        readonly: { type: 'boolean' },
      },
    },
  },
};

const rfc3339 = (seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;

const app = fastify();
app.post('/v1/sessions/details', { schema }, (request, reply) => {
  try {
    const { claims, grant } = detailsOf(request.body.token);
    reply.send({ created_at: rfc3339(claims.iat), expires_at: rfc3339(claims.exp), ...grant });
  } catch {
    reply.code(401).send({ code: 16, message: 'the token is not good', details: [] });
  }
});
await app.listen({ port: 0, host: '127.0.0.1' });
ready(app.server.address().port);
