/** The programs of other people that the tests here run, and the servers that they are run against. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Ran, ran } from '../child.ts';
import { type InChild, startDev, temporaryFolder } from '../start.ts';

/** Where scripts/install-foreign.sh puts things. */
export const FOLDER = path.join(import.meta.dirname, '..', '..', '.foreign');

/** Where what it builds or downloads lies: a tool, or the messages of one. */
const INSTALLED: Readonly<Record<string, string>> = {
  grpcurl: path.join(FOLDER, 'bin', 'grpcurl'),
  'grpcurl-v1alpha': path.join(FOLDER, 'bin', 'grpcurl-v1alpha'),
  connectconformance: path.join(FOLDER, 'bin', 'connectconformance'),
  'conformance.binpb': path.join(FOLDER, 'conformance.binpb'),
  'grpc-interop-client': path.join(FOLDER, 'bin', 'grpc-interop-client'),
  'interop.binpb': path.join(FOLDER, 'interop.binpb'),
  caddy: path.join(FOLDER, 'bin', 'caddy'),
  h2spec: path.join(FOLDER, 'bin', 'h2spec'),
  'compose-spec': path.join(FOLDER, 'bin', 'compose-spec'),
  'kubernetes-validate': path.join(FOLDER, 'python', 'bin', 'kubernetes-validate'),
  hadolint: path.join(FOLDER, 'python', 'bin', 'hadolint'),
  python: path.join(FOLDER, 'python', 'bin', 'python'),
};

/** The tools' own folder before the system's. */
export const TOOL_PATH = [path.join(FOLDER, 'bin'), process.env.PATH].join(path.delimiter);

/**
 * Where a tool is.
 * @throws when it is not there: a test that cannot run fails
 */
export function tool(name: string): string {
  const installed = INSTALLED[name];
  const found =
    installed === undefined
      ? spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined
      : existsSync(installed);
  if (!found) throw new Error(`${name} is missing; run: bash scripts/install-foreign.sh`);
  return installed ?? name;
}

/** How long a tool may take, in milliseconds. */
const TOOL_MS_MAX = 600_000;

/** Runs a tool to its end. */
export async function runTool(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const child = spawn(tool(name), args, {
    env: { ...process.env, PATH: TOOL_PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TOOL_MS_MAX,
  });
  return ran(child);
}

/** The environment in which tools trust this file of certificates, each by a variable of its own. */
export function trusting(roots: string): Record<string, string> {
  return {
    CURL_CA_BUNDLE: roots,
    REQUESTS_CA_BUNDLE: roots,
    NODE_EXTRA_CA_CERTS: roots,
    SSL_CERT_FILE: roots,
  };
}

/** A certificate that OpenSSL has made, and the flags that have a server use it. */
export interface Pair {
  readonly certFile: string;
  readonly flags: readonly string[];
}

/** Makes a self-signed certificate for this machine; `args` say of what kind. */
export async function madePair(...args: string[]): Promise<Pair> {
  const folder = temporaryFolder();
  const [certFile, keyFile] = [path.join(folder, 'made.crt'), path.join(folder, 'made.key')];
  const made = await runTool('openssl', [
    ...['req', '-x509', ...args, '-sha256', '-noenc', '-days', '90', '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-out', certFile],
    ...['-keyout', keyFile],
  ]);
  if (made.code !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`);
  return { certFile, flags: ['--tls-cert', certFile, '--tls-key', keyFile] };
}

/** Stops a server, and starts it again on the same port and data with the same flags. */
export async function restart(
  server: InChild,
  args: readonly string[] = [],
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<InChild> {
  await server.stop(signal);
  return startDev({ args: [...args, '--listen', server.authority], folder: server.folder });
}

/** What TokenDetails tells of the demo key, but for its two instants: the documented example. */
export const DEMO_DETAILS = {
  md_permissions: [
    { quote_level: 'QUOTE_LEVEL_DEPTH_OF_MARKET', delay_minutes: 0, mic: '#RBRD' },
    { quote_level: 'QUOTE_LEVEL_DEPTH_OF_MARKET', delay_minutes: 0, mic: '#WWCP' },
  ],
  account_ids: ['1899011'],
  readonly: false,
};
