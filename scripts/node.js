// `node scripts/node.js FILE ARGUMENTS`: runs FILE under a Node that can read it. That is the Node
// at hand if it is new enough, as in npm scripts from npm 11.6 on, which put the project's own first.
// Older npms drop its link from node_modules/.bin, so it is looked up here.
// Plain JavaScript that Node 20 can read.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED_MAJOR = 26;
const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

// Signals that reach this process alone. A Ctrl+C reaches the child by itself.
const FORWARDED = process.stdin.isTTY ? ['SIGTERM', 'SIGHUP'] : ['SIGTERM', 'SIGHUP', 'SIGINT'];

/** Where npm puts this platform's Node (see optionalDependencies in package.json). */
function ownNode() {
  const isWindows = process.platform === 'win32';
  const platform = `${isWindows ? 'win' : process.platform}-${process.arch}`;
  const program = path.join('bin', isWindows ? 'node.exe' : 'node');
  return [`node-${platform}`, `node-bin-${platform}`]
    .map((name) => path.join(ROOT, 'node_modules', name, program))
    .find((file) => existsSync(file));
}

function runUnder(node, args) {
  // Arguments may hold a secret; other users of the machine read them off the process list.
  process.title = path.basename(args[0]);
  // For the programs of node_modules/.bin that begin with `#!/usr/bin/env node`.
  const searched = [path.dirname(node), process.env.PATH].join(path.delimiter);
  const child = spawn(node, args, { stdio: 'inherit', env: { ...process.env, PATH: searched } });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  if (process.stdin.isTTY) process.on('SIGINT', () => {});
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal === null) return;
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

const [file, ...args] = process.argv.slice(2);
const isNew = Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR;
const own = isNew ? undefined : ownNode();
if (isNew) {
  process.argv.splice(1, 2, path.resolve(file));
  await import(pathToFileURL(file).href);
} else if (own !== undefined) {
  runUnder(own, [file, ...args]);
} else {
  process.stderr.write(
    `this needs Node ${NEEDED_MAJOR} or newer, and npm brought none for this platform ` +
      `(${process.platform} ${process.arch}); run npm ci, or install Node ${NEEDED_MAJOR}\n`,
  );
  process.exitCode = 2;
}
