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
import('../cli/server-commands.ts')
  .then(({ isOfServer }) => import(isOfServer(args) ? '../src/program.ts' : '../cli/main.ts'))
  .then(async (program) => {
    process.exitCode = await program.run(args, startedMs);
    process.exit();
  });
