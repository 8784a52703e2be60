/**
 * What a crowd of hostile connections costs those who want an answer: TokenDetails calls in windows
 * without and with 10,000 idle connections and 1,000 that send a byte a second, all of which come back
 * as often as they are cut. Usage: node bench/hostile-clients.ts [--tls]
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Crowd, type CrowdOptions } from '../test/hostile-crowd.ts';
import { startDev } from '../test/start.ts';

const ROUNDS = 5;
const WINDOW_MS = 12_000;
/** One call in so many opens a connection of its own. */
const FRESH_EVERY = 50;
/** For what a crowd has left behind to be gone before the next window. */
const REST_MS = 2000;

/** The crowd has a thread of its own: what it costs its own process is no figure of the server's. */
async function beCrowd(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('this is no worker');
  const crowd = new Crowd(workerData as CrowdOptions);
  port.once('message', async () => {
    const { open, cut, dribbled } = crowd;
    await crowd.leave();
    port.postMessage({ open, cut, dribbled });
  });
  await crowd.gather();
  port.postMessage('gathered');
}

function heard(worker: Worker): Promise<{ open: number; cut: number; dribbled: number }> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Quantiles of what was measured, in milliseconds. */
interface Latencies {
  readonly calls: number;
  readonly p50: number;
  readonly p99: number;
}

function latenciesOf(taken: number[]): Latencies {
  const sorted = taken.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { calls: sorted.length, p50: at(0.5), p99: at(0.99) };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

interface Window {
  readonly kept: Latencies;
  readonly fresh: Latencies;
}

async function measure(): Promise<void> {
  const isTls = process.argv.includes('--tls');
  const quiet = ['--log-level', 'error', '--limit', '1000000000'];
  await using dev = await startDev({ args: isTls ? [...quiet, '--tls'] : quiet });
  const residentMiB = () => {
    const status = readFileSync(`/proc/${dev.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  };
  const { Agent, request } = isTls ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });

  const post = (path: string, body: object, keep = true) =>
    new Promise<Record<string, string>>((resolve, reject) => {
      const options = {
        method: 'POST',
        agent: keep ? agent : new Agent({ keepAlive: false }),
        rejectUnauthorized: false,
      };
      const sent = request(dev.url + path, options, async (answer) => {
        const text = Buffer.concat(await answer.toArray()).toString();
        if (answer.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`${path} answered ${answer.statusCode}: ${text}`));
      });
      sent.on('error', reject);
      sent.end(JSON.stringify(body));
    });

  const { token = '' } = await post('/v1/sessions', { secret: dev.secret });
  const window = async (): Promise<Window> => {
    const kept: number[] = [];
    const fresh: number[] = [];
    const until = performance.now() + WINDOW_MS;
    for (let i = 0; performance.now() < until; i++) {
      const isFresh = i % FRESH_EVERY === 0;
      const from = performance.now();
      await post('/v1/sessions/details', { token }, !isFresh);
      (isFresh ? fresh : kept).push(performance.now() - from);
    }
    return { kept: latenciesOf(kept), fresh: latenciesOf(fresh) };
  };

  await window();
  const without: Window[] = [];
  const during: Window[] = [];
  const show = (name: string, { kept, fresh }: Window) => {
    const of = ({ calls, p50, p99 }: Latencies) =>
      `${calls} calls, p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`;
    console.log(
      `${name}: kept connection: ${of(kept)}; new connections: ${of(fresh)}; ` +
        `resident ${residentMiB().toFixed(0)} MiB`,
    );
  };
  for (let round = 1; round <= ROUNDS; round++) {
    const quiet = await window();
    without.push(quiet);
    show(`round ${round} without`, quiet);
    const data: CrowdOptions = {
      port: dev.port,
      isTls,
      idle: 10_000,
      dribbling: 1000,
      comesBack: true,
    };
    const worker = new Worker(new URL(import.meta.url), { workerData: data });
    const from = performance.now();
    await heard(worker);
    const seconds = (performance.now() - from) / 1000;
    const crowded = await window();
    during.push(crowded);
    show(`round ${round} with   `, crowded);
    worker.postMessage('leave');
    const { open, cut, dribbled } = await heard(worker);
    console.log(
      `  gathered in ${seconds.toFixed(1)} s; ${open} open in the end, ${cut} cut, ${dribbled} bytes dribbled`,
    );
    await worker.terminate();
    await sleep(REST_MS);
  }
  for (const kind of ['kept', 'fresh'] as const) {
    const of = (windows: Window[], which: 'p50' | 'p99') =>
      median(windows.map((each) => each[kind][which]));
    const name = kind === 'kept' ? 'on a kept connection' : 'each on a new connection';
    for (const which of ['p50', 'p99'] as const) {
      const [a, b] = [of(without, which), of(during, which)];
      console.log(
        `${which} ${name}: ${a.toFixed(2)} ms without, ${b.toFixed(2)} ms with; ratio ${(b / a).toFixed(2)}`,
      );
    }
  }
  console.log(`resident in the end: ${residentMiB().toFixed(0)} MiB`);
}

if (isMainThread) await measure();
else await beCrowd();
