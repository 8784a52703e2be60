/** A server in `serve` with an operator of each role, and what it takes to administer it. */
import { randomBytes } from 'node:crypto';
import type { DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { MasterKey } from '../src/domain/master-key.ts';
import type { OperatorRole } from '../src/domain/model.ts';
import { formatSecret } from '../src/domain/secret.ts';
import { AccountService } from '../src/gen/propusk/admin/v1/account_service_pb.js';
import { ClientService } from '../src/gen/propusk/admin/v1/client_service_pb.js';
import { type KeySchema, KeyService } from '../src/gen/propusk/admin/v1/key_service_pb.js';
import type { Server, Surroundings } from '../src/main.ts';
import type { Client } from './clients/client.ts';
import { Four } from './clients/four.ts';
import { SERVE_MASTER_KEY, startServeWith, unique } from './start.ts';
import { write } from './steps.ts';

/** Each may do what those before it may. */
export const OPERATOR_ROLES: readonly OperatorRole[] = ['service', 'viewer', 'operator', 'owner'];

/** The master key of the server. */
export const SERVE_KEY = new MasterKey(Buffer.from(SERVE_MASTER_KEY, 'hex'));

/** A new operator's id and token, put into the database behind the server's back. */
export async function putOperator(
  { store }: Pick<Server, 'store'>,
  role: OperatorRole,
  expiresAtMs = Date.now() + 365 * 86_400_000,
): Promise<{ id: string; token: string }> {
  const id = `${role}-${unique()}`;
  const token = formatSecret(randomBytes(20), 'pop_');
  const tokenMac = SERVE_KEY.macOfSecret(token);
  await write(store, 'operator', [
    { id, name: `the ${role}`, role, tokenMac, expiresAtMs, revokedAtMs: null },
  ]);
  return { id, token };
}

/** How an operator administers over one protocol. */
export class Administrator {
  readonly client: Client;
  readonly token: string;

  constructor(client: Client, token: string) {
    this.client = client;
    this.token = token;
  }

  /** Rejects with CallFailure when the server refuses it. */
  async call<M extends DescMethodUnary>(
    method: M,
    input: MessageInitShape<M['input']>,
  ): Promise<MessageShape<M['output']>> {
    const options = { metadata: { authorization: this.token } };
    return (await this.client.call(method, input, options)).message;
  }
}

export class AdministeredServer implements AsyncDisposable {
  readonly server: Server;
  /** On the internal port. */
  readonly inside: Four;
  /** On the public port. */
  readonly outside: Four;
  readonly operators: Readonly<Record<OperatorRole, { id: string; token: string }>>;

  private constructor(server: Server, operators: AdministeredServer['operators']) {
    this.server = server;
    this.inside = fourOf(server.internalPort);
    this.outside = fourOf(server.port);
    this.operators = operators;
  }

  static start(...args: readonly string[]): Promise<AdministeredServer> {
    return AdministeredServer.startWith({}, ...args);
  }

  /** The same in other surroundings. */
  static async startWith(
    change: Partial<Surroundings>,
    ...args: readonly string[]
  ): Promise<AdministeredServer> {
    const server = await startServeWith(change, ...args);
    const [service, viewer, operator, owner] = await Promise.all([
      putOperator(server, 'service'),
      putOperator(server, 'viewer'),
      putOperator(server, 'operator'),
      putOperator(server, 'owner'),
    ]);
    return new AdministeredServer(server, { service, viewer, operator, owner });
  }

  /** The operator with this role, over REST unless it is said how. */
  as(role: OperatorRole, client: Client = this.inside.rest1): Administrator {
    return new Administrator(client, this.operators[role].token);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.inside[Symbol.asyncDispose]();
    await this.outside[Symbol.asyncDispose]();
    await this.server.stop();
  }
}

/** Clients of a port of this machine. */
export function fourOf(port: number | undefined): Four {
  const authority = `127.0.0.1:${port}`;
  return new Four({ authority, url: `http://${authority}` });
}

/** A new client with one account, made by an operator. */
export async function makeClient(
  operator: Administrator,
): Promise<{ id: string; account: string }> {
  const { id } = await operator.call(ClientService.method.createClient, { client: {} });
  const account = { id: `A${unique()}`, clientId: id };
  await operator.call(AccountService.method.createAccount, { account });
  return { id, account: account.id };
}

/** A new key that reaches all accounts of its client, and its secret. */
export async function makeKey(
  operator: Administrator,
  clientId: string,
  more: MessageInitShape<typeof KeySchema> = {},
): Promise<{ id: string; secret: string }> {
  const key = { clientId, allAccounts: true, ...more };
  const made = await operator.call(KeyService.method.createKey, { key });
  return { id: made.key?.id ?? '', secret: made.secret };
}
