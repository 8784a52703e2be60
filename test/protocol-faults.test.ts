/** Every documented error, by --fault, over every protocol: the same code, details and sentence. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type CallFailure, type Client, failureOf } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { startHere } from './start.ts';
import { lineOf } from './wait.ts';

const BAD_CREDENTIAL = 'Срок действия токена истек или токен недействителен';

interface Documented {
  readonly status: number;
  readonly code: number;
  readonly name: string;
  /** By method: the reason in ErrorInfo. */
  readonly reason: Readonly<Record<string, string>>;
  /** The sentence that the API's documents give. */
  readonly sentence?: string;
}

function both(reason: string) {
  return { Auth: reason, TokenDetails: reason };
}

const DOCUMENTED: readonly Documented[] = [
  { status: 400, code: 3, name: 'INVALID_ARGUMENT', reason: both('INVALID_REQUEST') },
  {
    status: 401,
    code: 16,
    name: 'UNAUTHENTICATED',
    reason: { Auth: 'SECRET_INVALID', TokenDetails: 'TOKEN_INVALID' },
    sentence: BAD_CREDENTIAL,
  },
  {
    status: 404,
    code: 5,
    name: 'NOT_FOUND',
    // Auth succeeds for a key without an account, so this is not among its answers.
    reason: { TokenDetails: 'ACCOUNT_NOT_IN_TOKEN' },
    sentence: 'Счёт не был найден в токене',
  },
  {
    status: 429,
    code: 8,
    name: 'RESOURCE_EXHAUSTED',
    reason: both('RATE_LIMITED'),
    sentence: 'Слишком много запросов. Доступный лимит - 200 запросов в минуту',
  },
  {
    status: 500,
    code: 13,
    name: 'INTERNAL',
    reason: both('INTERNAL'),
    sentence: 'Внутренняя ошибка сервиса. Попробуйте позже',
  },
  {
    status: 503,
    code: 14,
    name: 'UNAVAILABLE',
    reason: both('UNAVAILABLE'),
    sentence: 'Сервис на данный момент не доступен. Попробуйте позже',
  },
  {
    status: 504,
    code: 4,
    name: 'DEADLINE_EXCEEDED',
    reason: both('DEADLINE_EXCEEDED'),
    sentence: 'Крайний срок истек до завершения операции',
  },
];

// Every fault at once; which of a method's faults a call meets is drawn, and the test draws.
let wanted = 0;
let drawn = 0;
const draw = () => (drawn++ === wanted ? 0 : 0.99);
const faultsOf = (method: string) => DOCUMENTED.filter(({ reason }) => method in reason);
const flags = ['Auth', 'TokenDetails'].flatMap((method) =>
  faultsOf(method).map(({ status }) => `--fault=${method}=${status}@0.5`),
);
const server = await startHere(flags, { draw });
const four = new Four(server);
[wanted, drawn] = [-1, 0];
const token = await four.rest1.auth(server.secret);
after(async () => {
  await four[Symbol.asyncDispose]();
  await server.stop();
});

async function meet(client: Client, method: string, fault: number): Promise<CallFailure> {
  [wanted, drawn] = [fault, 0];
  return failureOf(method === 'Auth' ? client.auth(server.secret) : client.tokenDetails(token));
}

/** The HTTP headers and gRPC trailers that invite to try again. */
function invitation({ headers }: CallFailure) {
  return [headers['retry-after'], headers['grpc-retry-pushback-ms']];
}

function invitationOf(client: Client, status: number): (string | undefined)[] {
  if (client.protocol === 'rest') return [[429, 503].includes(status) ? '1' : undefined, undefined];
  return [undefined, status === 429 ? '1000' : undefined];
}

for (const method of ['Auth', 'TokenDetails']) {
  for (const [i, { status, code, name, reason, sentence }] of faultsOf(method).entries()) {
    test(`${method} answers ${status} ${name} alike over all protocols`, async () => {
      const failures: CallFailure[] = [];
      for (const client of four.all) {
        const failure = await meet(client, method, i);
        failures.push(failure);
        assert.equal(failure.code, code, client.name);
        assert.equal(failure.reason, reason[method]);
        const localized = sentence && { locale: 'ru', message: sentence };
        assert.deepEqual(failure.localized, localized);
        assert.deepEqual(failure.status, failures[0]?.status, client.name);
        assert.deepEqual(invitation(failure), invitationOf(client, status), client.name);
        if (client.protocol === 'rest') assert.equal(failure.httpStatus, status);
        const line = await lineOf(server.log, failure.headers['x-request-id']);
        assert.equal(line.code, name);
      }
    });
  }
}

test('the details of a limit tell it, and when to come back', async () => {
  const failure = await meet(four.grpc, 'TokenDetails', 3);
  assert.deepEqual(failure.detail('QuotaFailure')?.violations, [
    {
      subject: 'caller',
      description: '200 requests a minute',
      api_service: '',
      quota_metric: '',
      quota_id: '',
      quota_dimensions: {},
      quota_value: '200',
    },
  ]);
  assert.equal(failure.detail('RetryInfo')?.retry_delay, '1s');
  const away = await meet(four.grpc, 'TokenDetails', 5);
  assert.equal(away.detail('RetryInfo')?.retry_delay, '1s');
});

test('a call that draws no fault is answered', async () => {
  [wanted, drawn] = [99, 0];
  assert.ok(await four.web.auth(server.secret));
});

test('a fault by its gRPC name, without a probability, always comes', async () => {
  const full = 'grpc.tradeapi.v1.auth.AuthService/TokenDetails';
  await using always = await startHere(['--fault', `${full}=unavailable`], { draw: () => 0.999 });
  await using clients = new Four(always);
  for (const client of clients.all) {
    const token = await client.auth(always.secret);
    assert.equal((await failureOf(client.tokenDetails(token))).code, 14);
  }
});

test('a fault of probability 0 never comes', async () => {
  await using never = await startHere(['--fault=Auth=500@0'], { draw: () => 0 });
  await using clients = new Four(never);
  for (const client of clients.all) assert.ok(await client.auth(never.secret));
});
