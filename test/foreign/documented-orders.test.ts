/**
 * The six samples of the API's public documents, each run to its end three times: as a limit order,
 * as a multi-leg order, and with its placeholders. Nothing is put in but host, secret, account and the
 * order's values; what a sample keeps in a variable is printed after it.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type InChild, startDev, temporaryFolder, unique } from '../start.ts';
import { documentOf, sampleOf, type Values, withOwn, withValues } from './samples.ts';
import { DEMO_DETAILS, FOLDER, runTool, trusting } from './tools.ts';

const DOCUMENT = documentOf('rest-token-details.md');
const [ACCOUNT = ''] = DEMO_DETAILS.account_ids;

/** How a sample's values are changed: what its order is to be. */
const KINDS = {
  'a limit order': (clientOrderId: string): Values => ({
    symbol: 'SBER@MISX',
    quantity: '10',
    side: 'SIDE_BUY',
    type: 'ORDER_TYPE_LIMIT',
    time_in_force: 'TIME_IN_FORCE_GOOD_TILL_CANCEL',
    limit_price: '150.5',
    stop_price: null,
    legs: null,
    client_order_id: clientOrderId,
    comment: 'as documented',
  }),
  'a multi-leg order': (clientOrderId: string): Values => ({
    symbol: 'SBER@MISX',
    quantity: '3',
    side: 'SIDE_SELL',
    type: 'ORDER_TYPE_MULTI_LEG',
    time_in_force: 'TIME_IN_FORCE_DAY',
    limit_price: null,
    stop_price: null,
    legs: { symbol: 'GAZP@MISX', quantity: '1.5', side: 'SIDE_BUY' },
    client_order_id: clientOrderId,
    comment: 'as documented',
  }),
} as const;

/** The order as the service tells it, when it was placed with these values. */
function told(values: Values): object {
  const { legs, limit_price, quantity, ...rest } = values;
  delete (rest as Record<string, unknown>).stop_price;
  const leg = legs as Values | null;
  return {
    account_id: ACCOUNT,
    ...rest,
    quantity: { value: quantity },
    ...(limit_price !== null && { limit_price: { value: limit_price } }),
    legs: leg === null ? [] : [{ ...leg, quantity: { value: leg.quantity } }],
    // As written.
    stop_condition: 'STOP_CONDITION_UNSPECIFIED',
    valid_before: 'VALID_BEFORE_UNSPECIFIED',
  };
}

/** What is wrong with the placeholders. The others are UNSPECIFIED, or could be meant. */
const BAD_FIELDS = [
  ...['symbol', 'quantity', 'side', 'type', 'limit_price', 'stop_price'],
  ...['legs[0].symbol', 'legs[0].quantity', 'legs[0].side'],
];

interface Language {
  /** The sample's heading. */
  readonly heading: string;
  /** What stands for nothing in a literal. */
  readonly nothing: string;
  /** Runs a program with the server's certificate trusted; resolves with the JSON that it printed. */
  readonly run: (program: string) => Promise<string>;
}

/**
 * Of the Rust sample, with the dependencies of our own example: they are built already. The folder is
 * always the same, so that cargo replaces what it has built there before; the program has another name
 * than the example, which is built into the same place.
 */
const CRATE = path.join(FOLDER, 'documented-rust');

let server: InChild;
/** What its clients are to trust. */
let certFile: string;
/** Reads and places by itself, to see what the samples leave behind. */
let token: string;

before(async () => {
  mkdirSync(path.join(CRATE, 'src', 'bin'), { recursive: true });
  const example = path.join(import.meta.dirname, '..', '..', 'examples', 'rust');
  for (const file of ['Cargo.toml', 'Cargo.lock']) {
    copyFileSync(path.join(example, file), path.join(CRATE, file));
  }
  server = await startDev({ args: ['--tls'] });
  certFile = path.join(server.folder, 'tls.crt');
  token = (await call('POST', '/v1/sessions', { secret: server.secret })).token;
});

after(() => server.stop());

/** Sends a request by curl, which trusts the certificate; resolves with the answer's JSON. */
async function call(verb: string, target: string, body?: object) {
  const sent = body === undefined ? [] : ['-d', JSON.stringify(body)];
  const authorization = token === undefined ? [] : ['-H', `Authorization: ${token}`];
  const args = ['-sS', '-X', verb, ...authorization, ...sent, `${server.url}${target}`];
  return JSON.parse(await printed('curl', ...args));
}

async function ordersNow(): Promise<{ order: Record<string, unknown> }[]> {
  return (await call('GET', `/v1/accounts/${ACCOUNT}/orders`)).orders;
}

async function printed(name: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTool(name, args, trusting(certFile));
  assert.equal(code, 0, stderr);
  return stdout;
}

/** The program in a file of its own. */
function written(name: string, program: string): string {
  const file = path.join(temporaryFolder(), name);
  writeFileSync(file, program);
  return file;
}

const LANGUAGES: readonly Language[] = [
  {
    heading: 'JavaScript',
    nothing: 'null',
    run: (program) => {
      const file = written('sample.mjs', `${program}\nconsole.log(JSON.stringify(data));\n`);
      return printed(process.execPath, file);
    },
  },
  {
    heading: 'Python',
    nothing: 'None',
    run: (program) => {
      const print = 'import json\nprint(json.dumps(data))\n';
      return printed('python', written('sample.py', `${program}\n${print}`));
    },
  },
  {
    heading: 'Go',
    nothing: 'null',
    run: (program) => printed('go', 'run', written('main.go', program)),
  },
  {
    heading: 'PHP',
    nothing: 'null',
    run: (program) => {
      const file = written('sample.php', `${program}\necho json_encode($data);\n`);
      // The one tool here whose trust is no variable of the environment.
      return printed('php', '-d', `curl.cainfo=${certFile}`, file);
    },
  },
  {
    heading: 'Rust',
    nothing: 'null',
    run: async (program) => {
      writeFileSync(path.join(CRATE, 'src', 'bin', 'documented.rs'), program);
      const args = ['--quiet', '--locked', '--offline', '--target-dir', path.join(FOLDER, 'cargo')];
      return jsonOfDebug(
        await printed('cargo', 'run', ...args, '--manifest-path', path.join(CRATE, 'Cargo.toml')),
      );
    },
  },
  {
    heading: 'cURL',
    nothing: 'null',
    run: (program) => printed('bash', '-euc', program),
  },
];

/** The JSON of what Rust prints of a `serde_json::Value` by `{:#?}`. */
function jsonOfDebug(text: string): string {
  return text
    .replace(/\b(?:String|Number|Bool)\(("(?:[^"\\]|\\.)*"|[^()"]*)\)/g, '$1')
    .replace(/\b(?:Object|Array) (?=[[{])/g, '')
    .replace(/\bNull\b/g, 'null')
    .replace(/,(\s*[}\]])/g, '$1');
}

for (const { heading, nothing, run } of LANGUAGES) {
  const sample = sampleOf(DOCUMENT, heading);
  const ran = async (text: string) =>
    JSON.parse(await run(withOwn(text, { ...server, accountId: ACCOUNT })));

  describe(heading, () => {
    for (const [kind, valuesOf] of Object.entries(KINDS)) {
      test(`as ${kind}`, async () => {
        const clientOrderId = unique();
        const values = valuesOf(clientOrderId);
        const state = await ran(withValues(sample, values, nothing));
        assert.equal(state.status, 'ORDER_STATUS_NEW');
        assert.deepEqual(state.order, told(values));
        const mine = (await ordersNow()).filter(
          ({ order }) => order.client_order_id === clientOrderId,
        );
        assert.deepEqual(mine, [state]);
      });
    }

    test('with its placeholders', async () => {
      const earlier = await ordersNow();
      const { code, details } = await ran(sample);
      // INVALID_ARGUMENT, which is 400.
      assert.equal(code, 3);
      const { field_violations } = details.find((detail: Record<string, unknown>) =>
        String(detail['@type']).endsWith('/google.rpc.BadRequest'),
      );
      const fields = field_violations.map(({ field }: { field: string }) => field);
      assert.deepEqual(fields.sort(), BAD_FIELDS.toSorted());
      assert.deepEqual(await ordersNow(), earlier);
    });
  });
}
