/**
 * How long `propusk apply` takes to make an empty server hold many clients, each with an account, a
 * subscription and a key; then to find nothing to change; then how long `export` takes.
 * `node scripts/node.js bench/apply.ts [clients]`
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { runProgram, startServeApart, temporaryFolder } from '../test/start.ts';

const count = Number(process.argv[2] ?? 10_000);
const PLANS = 20;

const folder = temporaryFolder();
const file = path.join(folder, 'clients.yaml');
const permissions = [
  { quote_level: 'QUOTE_LEVEL_DEPTH_OF_BOOK', mic: 'XNAS' },
  { quote_level: 'QUOTE_LEVEL_LAST_PRICE', delay_minutes: 15, worldwide: true },
];
const content = {
  version: 1,
  plans: Array.from({ length: PLANS }, (_, i) => ({ id: `plan-${i}`, permissions })),
  clients: Array.from({ length: count }, (_, i) => ({
    id: `client-${i}`,
    name: `Client ${i}`,
    accounts: [{ id: String(1_000_000 + i) }],
    subscriptions: [
      { id: `s-${i}`, plan_id: `plan-${i % PLANS}`, starts_at: '2026-01-01T00:00:00Z' },
    ],
    keys: [{ id: `k-${i}`, label: 'Bot', all_accounts: true }],
  })),
};
writeFileSync(file, stringify(content, { aliasDuplicateObjects: false }));

await using server = await startServeApart();
const { stdout: token } = await runProgram(['bootstrap'], { env: server.env });
const env = { PROPUSK_SERVER: server.internalUrl, PROPUSK_TOKEN: token.trim() };

/** Runs a command and prints how long it took. */
async function time(what: string, ...args: readonly string[]): Promise<void> {
  const startedMs = performance.now();
  const { code, stdout, stderr } = await runProgram(args, { env });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (code !== 0) throw new Error(`propusk ${args.join(' ')} ended with ${code}: ${stderr}`);
  const last = args[0] === 'apply' ? stdout.trimEnd().split('\n').at(-1) : '';
  process.stdout.write(`${what}: ${seconds} s ${last}\n`);
}

await time(`apply ${count} clients`, 'apply', '-f', file, '--secrets-file', `${file}.secrets`);
await time('apply the same again', 'apply', '-f', file);
await time('export', 'export');
process.exit();
