/** Everything that can be told without running the program: `npm run check`. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { command, generate, ROOT } from './commands.ts';
import { differences } from './differences.ts';
import { documentFlaws } from './documents.ts';
import { missingPlatforms } from './platforms.ts';

interface Step {
  readonly name: string;
  /** What is wrong; empty when nothing is. */
  readonly check: () => string;
}

/** Generates src/gen anew beside it and compares. */
function staleCode(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'propusk-gen-'));
  try {
    const failed = generate(folder);
    if (failed !== '') return failed;
    const found = differences(path.join(folder, 'src', 'gen'), path.join(ROOT, 'src', 'gen'));
    if (found.length === 0) return '';
    return `src/gen is not what proto/ generates; run npm run generate\n  ${found.join('\n  ')}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Where packages are installed by themselves. */
const PACKAGES = ['.', 'bench/peers'];

/** Versions are exact, every package is locked, and the locks name no host. */
function lockedPackages(): string {
  return PACKAGES.flatMap((folder) =>
    lockFlaws(folder).map((flaw) => (folder === '.' ? flaw : `${folder}: ${flaw}`)),
  ).join('\n');
}

function lockFlaws(folder: string): string[] {
  const read = (name: string) => readFileSync(path.join(ROOT, folder, name), 'utf8');
  const manifest = JSON.parse(read('package.json'));
  const lockText = read('package-lock.json');
  const lock = JSON.parse(lockText);
  const wrong: string[] = [];
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    for (const [name, version] of Object.entries<string>(manifest[kind] ?? {})) {
      if (!/^\d+\.\d+\.\d+$/.test(version)) wrong.push(`${name}: ${version} is no exact version`);
      if (lock.packages['']?.[kind]?.[name] !== version) wrong.push(`${name}: the lock is older`);
    }
  }
  const nodes = new Set(Object.values(manifest.optionalDependencies ?? {}));
  if (nodes.size > 1) wrong.push(`the platforms have different Nodes: ${[...nodes].join(', ')}`);
  for (const place of missingPlatforms(lock.packages).keys()) {
    wrong.push(`${place} is missing in package-lock.json; run npm run lock`);
  }
  if (/"resolved": *"https?:/.test(lockText)) {
    wrong.push('package-lock.json holds addresses ("resolved"); .npmrc leaves them out');
  }
  return wrong;
}

const STEPS: readonly Step[] = [
  {
    name: 'types (tsc)',
    // The page has a browser's types, and none of Node's.
    check: () => command('tsc') || command('tsc', '-p', 'examples/browser'),
  },
  {
    name: 'format and lint (biome)',
    check: () => command('biome', 'check', '--error-on-warnings'),
  },
  { name: 'proto: lint', check: () => command('buf', 'lint', 'proto') },
  {
    name: 'proto: format',
    check: () => command('buf', 'format', 'proto', '--diff', '--exit-code'),
  },
  {
    name: 'proto: nothing breaks released clients',
    check: () => command('buf', 'breaking', 'proto', '--against', 'proto/released.binpb'),
  },
  { name: 'src/gen is fresh', check: staleCode },
  { name: 'who imports whom', check: () => command('node', '--test', 'test/imports.test.ts') },
  { name: 'packages are locked', check: lockedPackages },
  { name: 'the documents say what is', check: () => documentFlaws(ROOT).join('\n') },
];

let failures = 0;
for (const { name, check } of STEPS) {
  const startedMs = performance.now();
  const wrong = check();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`${wrong === '' ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)\n`);
  if (wrong === '') continue;
  failures++;
  process.stdout.write(`${wrong.trimEnd().replace(/^/gm, '     ')}\n`);
}
process.stdout.write(failures === 0 ? 'all checks passed\n' : `failed: ${failures}\n`);
process.exitCode = failures === 0 ? 0 : 1;
