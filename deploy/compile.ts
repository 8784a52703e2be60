/**
 * Makes what Node keeps of the compiled sources beside the packages, for one user: `node deploy/compile.ts UID`,
 * as root. A start of that user then takes half the time, from a program that it cannot write. It must be made
 * where the program will be: the cache knows the paths, the user, the version of Node and the kind of processor.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');
const CACHE = path.join(ROOT, 'node_modules', '.cache', 'propusk');

/** Runs the program as the user until it has done what it begins with, or `isReady`; throws if it fails. */
async function runAs(uid: number, folder: string, args: readonly string[], isReady?: RegExp) {
  const child = spawn(process.execPath, [path.join(ROOT, 'bin', 'propusk.js'), ...args], {
    uid,
    gid: uid,
    cwd: folder,
    env: {
      NODE_COMPILE_CACHE: folder,
      PROPUSK_MASTER_KEY: randomBytes(32).toString('hex'),
      PROPUSK_DATABASE: `sqlite:${path.join(folder, 'propusk.db')}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
    // The last of what is compiled is written at the end, which a signal only begins.
    if (isReady?.test(stdout)) child.kill('SIGTERM');
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`propusk ${args.join(' ')} ended with ${code}: ${stdout}`);
}

const uid = Number(process.argv[2]);
if (!Number.isInteger(uid) || uid <= 0) {
  process.stderr.write('usage: node deploy/compile.ts UID\n');
  process.exit(2);
}
const folder = mkdtempSync(path.join(tmpdir(), 'propusk-compile-'));
try {
  chownSync(folder, uid, uid);
  const ports = ['--listen=127.0.0.1:0', '--internal-listen=127.0.0.1:0', '--drain-notice-ms=1'];
  await runAs(uid, folder, ['serve', ...ports], /\/metrics\n/);
  await runAs(uid, folder, ['--help']);
  const [made] = readdirSync(folder).filter((name) => name.endsWith(`-${uid}`));
  if (made === undefined) throw new Error('Node has kept nothing of what it compiled');
  const kept = path.join(CACHE, made);
  rmSync(kept, { recursive: true, force: true });
  // Copies, which the user may read and not write.
  process.umask(0o022);
  mkdirSync(kept, { recursive: true });
  for (const name of readdirSync(path.join(folder, made))) {
    writeFileSync(path.join(kept, name), readFileSync(path.join(folder, made, name)));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
