/** The command line `propusk dev` and `propusk serve`: reads it, runs the server, says what it did. */

import { X509Certificate } from 'node:crypto';
import net from 'node:net';
import type { Config } from './config.ts';
import { ConfigError, configOf, draftCommandLine } from './config.ts';
import { isForPeople, PACKAGE, type Server, settingFlaws, start, surroundings } from './main.ts';
import { DEMO_ACCOUNT } from './ops/demo.ts';
import { settle } from './settle.ts';

/** What the process exits with. */
const EXIT_UNUSABLE = 2;

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Runs the program until it is told to stop; resolves with the exit code. */
export async function run(args: readonly string[], startedMs: number): Promise<number> {
  // Arguments may hold a secret; other users of the machine read them off the process list.
  process.title = 'propusk';
  try {
    const command = await databaseCommand(args);
    if (command !== undefined) return await command(process);
    const draft = draftCommandLine(args, process.env, PACKAGE.version);
    if (draft.kind === 'done') return 0;
    const config = configOf(draft, await settingFlaws(draft.settings));
    const around = surroundings(config);
    process.on('warning', (warning) => around.log.warn({ err: warning }, 'process warning'));
    const server = await start(config, around);
    await settle();
    const readyMs = Math.round(performance.now() - startedMs);
    // Before the banner, since whoever reads it may answer with a signal at once.
    const stopped = stopSignal();
    process.stdout.write(banner(config, server, readyMs));
    await stopped;
    await server.stop();
    return 0;
  } catch (error) {
    if (!isForPeople(error)) throw error;
    const lines = error instanceof ConfigError ? error.lines : [error.message];
    for (const line of lines) process.stderr.write(`propusk: ${line}\n`);
    return EXIT_UNUSABLE;
  }
}

/** Servers do not load what the other commands need. */
async function databaseCommand(args: readonly string[]) {
  if (args[0] === 'dev' || args[0] === 'serve') return undefined;
  const commands = await import('./database-commands.ts');
  return commands.databaseCommand(args);
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      for (const signal of SIGNALS) process.off(signal, stop);
      resolve();
    };
    for (const signal of SIGNALS) process.on(signal, stop);
  });
}

/** Quotes a word for a POSIX shell. */
function quote(word: string): string {
  return /^[\w./:@=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Where a client on this machine reaches the server: a wildcard address is not one to call, and
 * over TLS it must be a name that the certificate holds.
 */
function authorityOf(config: Config, server: Server): string {
  const { host } = config.listen;
  const near = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const certificate = server.tls === undefined ? undefined : new X509Certificate(server.tls.cert);
  const isCovered = (name: string) =>
    certificate === undefined ||
    (net.isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;
  const name = [near, 'localhost', config.tlsName].find(isCovered) ?? near;
  return `${name.includes(':') ? `[${name}]` : name}:${server.port}`;
}

function banner(config: Config, server: Server, readyMs: number): string {
  const authority = authorityOf(config, server);
  const scheme = server.tls === undefined ? 'http' : 'https';
  const { internalPort } = server;
  const { host } = config.internalListen ?? config.listen;
  const internal = `http://${host.includes(':') ? `[${host}]` : host}:${internalPort}`;
  const inside = `Administration: ${internal}\nMetrics: ${internal}/metrics\n`;
  const head =
    `Propusk ${config.mode} took ${readyMs} ms to start: ${scheme}://${authority}\n` +
    (internalPort === undefined ? '' : inside);
  const [demo, ...others] = server.demoKeys;
  if (demo === undefined) return head;
  const ca = server.tls === undefined ? '' : ` --cacert ${quote(server.tls.certFile)}`;
  const grpcFlags =
    server.tls === undefined ? '-plaintext' : `-cacert ${quote(server.tls.certFile)}`;
  const url = `${scheme}://${authority}/v1/sessions`;
  const signIn = quote(JSON.stringify({ secret: demo.secret }));
  const width = Math.max(...others.map((key) => key.label.length), 'operator token'.length);
  const row = (name: string, value: string) => `  ${name.padEnd(width)}  ${value}\n`;
  return `${head}
${row('demo secret', demo.secret)}${row('demo account', DEMO_ACCOUNT)}${row('operator token', server.operatorToken ?? '')}${row('database', server.database)}${row('docs', `${scheme}://${authority}/docs`)}
Sign in, then ask what the token may do:

  TOKEN=$(curl -s${ca} ${url} -d ${signIn} | cut -d '"' -f 4)
  curl -s${ca} ${url}/details -d '{"token":"'$TOKEN'"}'
  grpcurl ${grpcFlags} -d '{"token":"'$TOKEN'"}' ${authority} grpc.tradeapi.v1.auth.AuthService/TokenDetails

Secrets of more demo keys:

${others.map((key) => row(key.label, key.secret)).join('')}
Stop with Ctrl+C.
`;
}
