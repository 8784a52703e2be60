/**
 * `npm run bench [-- PART…] [--quick] [--noisy] [--keys N] [--past-sessions N] [--share S]`: all parts,
 * some of them, or a quick run.
 */
import { parseArgs } from 'node:util';
import { describeMachine } from './machine.ts';
import { flat } from './parts/flat.ts';
import { latency } from './parts/latency.ts';
import { memory } from './parts/memory.ts';
import { auth, grpc, rest } from './parts/throughput.ts';
import { quick } from './quick.ts';
import { report } from './report.ts';
import { linesOf, type Section } from './section.ts';
import { Stage } from './stage.ts';

const PARTS: Readonly<Record<string, (stage: Stage) => Promise<Section[]>>> = {
  rest,
  grpc,
  auth,
  latency,
  flat,
  memory,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    noisy: { type: 'boolean', default: false },
    keys: { type: 'string', default: '1000000' },
    'past-sessions': { type: 'string', default: '10000000' },
    share: { type: 'string', default: '1' },
  },
});

const unknown = positionals.filter((name) => PARTS[name] === undefined);
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);
  process.exit(2);
}
// Servers and folders go at the exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
try {
  if (values.quick) await quick({ isNoisy: values.noisy });
  else await full();
} catch (error) {
  console.error('the run is void:', error);
  process.exit(1);
}

async function full(): Promise<void> {
  const startedAt = new Date().toISOString();
  const keys = Number(values.keys);
  const pastSessions = Number(values['past-sessions']);
  const isNoisy = values.noisy;
  await using stage = new Stage({ isNoisy, keys, pastSessions, share: Number(values.share) });
  const sections: Section[] = [];
  const taken: string[] = [];
  const machine = describeMachine();
  console.log(`${machine}${stage.cores === undefined ? '; cores cannot be pinned here' : ''}`);
  const names = positionals.length > 0 ? positionals : Object.keys(PARTS);
  // What was shortened or disturbed on purpose is no result.
  const isResult = !isNoisy && Number(values.share) === 1;
  const areAgain = positionals.length > 0;
  for (const name of names) {
    const found = await sectionsOf(name, stage);
    await stage.clear();
    for (const section of found) console.log(linesOf(section).join('\n'));
    const isVoid = found.some(({ figures }) => 'why' in figures);
    // A part that is void takes nobody's place.
    if (!isResult || (areAgain && isVoid)) continue;
    const takenAt = new Date().toISOString();
    sections.push(...found.map((section) => ({ ...section, takenAt })));
    taken.push(name);
    // After each part: what was found stays, whatever becomes of the next.
    const run = { startedAt, machine, keys, pastSessions, isNoisy, sections };
    const files = report(run, { taken, all: Object.keys(PARTS), areAgain });
    console.log(files.length > 0 ? `written: ${files.join(', ')}` : 'nothing of today to join');
  }
}

/** What a part found; where it is void, why. */
async function sectionsOf(name: string, stage: Stage): Promise<readonly Section[]> {
  try {
    return (await PARTS[name]?.(stage)) ?? [];
  } catch (error) {
    console.error(`${name} is void:`, error);
    process.exitCode = 1;
    const [why] = String(error).split('\n');
    return [{ part: name, title: `${name}: void`, rows: [], figures: { why } }];
  }
}
