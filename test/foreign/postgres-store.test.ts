/** The store on PostgreSQL keeps every promise that the one on SQLite keeps. */
import { after, before } from 'node:test';
import { AUDIT_KEY } from '../../src/store/contract-samples.ts';
import { storeContract } from '../../src/store/contract-suite.ts';
import { migrate } from '../../src/store/postgres/migrate.ts';
import { openPostgres } from '../../src/store/postgres/postgres.ts';
import { PostgresServer } from './postgres-server.ts';

let server: PostgresServer;
let opened = 0;

before(async () => {
  server = await PostgresServer.start();
  await migrate(await server.database('empty'));
});
after(() => server.kill());

storeContract('PostgreSQL', async () => {
  opened += 1;
  const url = await server.database(`store${opened}`, 'empty');
  return openPostgres(url, { auditKey: AUDIT_KEY });
});
