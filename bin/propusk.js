#!/usr/bin/env node
// Plain JavaScript that any Node can read: it says which Node the program needs before the program,
// which older ones cannot read, is loaded.
var NEEDED_MAJOR = 26;

if (Number(process.versions.node.split('.')[0]) < NEEDED_MAJOR) {
  process.stderr.write(
    'propusk: needs Node ' +
      NEEDED_MAJOR +
      ' or newer, and this is ' +
      process.versions.node +
      '; run it by npm (npm start), which brings its own, or install a newer Node\n',
  );
  process.exit(2);
}

var startedMs = performance.now();
var args = process.argv.slice(2);
// As most programs have it, beside --help.
if (args[0] === 'help') args = args.slice(1).concat('--help');
// What Node makes of the sources is kept beside the packages, where only who installed them may write: a
// start then takes half the time and a third less memory. Threads find the folder in the environment.
// Where it cannot be written, all is made anew.
Promise.all([import('node:module'), import('node:url')])
  .then(([{ enableCompileCache }, { fileURLToPath }]) => {
    var folder = new URL('../node_modules/.cache/propusk', import.meta.url);
    if (process.env.NODE_COMPILE_CACHE === undefined) {
      process.env.NODE_COMPILE_CACHE = fileURLToPath(folder);
    }
    enableCompileCache();
  })
  .then(() => import('../cli/server-commands.ts'))
  .then(({ isOfServer }) => import(isOfServer(args) ? '../src/program.ts' : '../cli/main.ts'))
  .then(async (program) => {
    process.exitCode = await program.run(args, startedMs);
    process.exit();
  });
