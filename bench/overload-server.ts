/** The server that bench/overload.ts measures, in a process of its own, with a method of 5 ms CPU. */
import { pbkdf2Sync } from 'node:crypto';
import { readCommandLine } from '../src/config.ts';
import { start, surroundings } from '../src/main.ts';
import { echoService } from '../test/echo-service.ts';
import { temporaryFolder } from '../test/start.ts';

const WORK_MS = 5;

function work(rounds: number): void {
  pbkdf2Sync('a', 'b', rounds, 32, 'sha256');
}

/** As many rounds as take the time when nothing disturbs them. */
function calibrate(): number {
  const rounds = 5000;
  let fastest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 50; i++) {
    const from = performance.now();
    work(rounds);
    fastest = Math.min(fastest, performance.now() - from);
  }
  return Math.round((rounds * WORK_MS) / fastest);
}

const rounds = calibrate();
const { registration } = echoService();
const echo = (request: unknown) => {
  work(rounds);
  return request;
};
const own = ['--listen', '127.0.0.1:0', '--data', temporaryFolder(), '--log-level', 'error'];
const args = ['dev', ...own, '--limit', '1000000000', ...process.argv.slice(2)];
const asked = readCommandLine(args, {}, '0.0.0');
if (asked.kind !== 'run') throw new Error('not a command that runs');
const server = await start(asked.config, {
  ...surroundings(asked.config),
  extraServices: [{ ...registration, impl: { ...registration.impl, echo } }],
});
process.send?.({ port: server.port, secret: server.demoKeys[0]?.secret });
process.once('disconnect', () => process.exit());
