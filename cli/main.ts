/** The command line of those who administer: reads it, asks the server, tells what it said. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addAccount } from './account.ts';
import { addApply } from './apply.ts';
import { addAudit } from './audit.ts';
import { addCheck } from './check.ts';
import { addClient } from './client.ts';
import { addExplain } from './explain.ts';
import { CommandFailure, Exit } from './failure.ts';
import { addKey } from './key.ts';
import { addLogin } from './login.ts';
import { addOperator } from './operator.ts';
import { addPlan } from './plan.ts';
import { SERVER_COMMANDS } from './server-commands.ts';
import { addSession } from './session.ts';
import { addStatus } from './status.ts';
import { addSubscription } from './subscription.ts';
import type { Surroundings } from './surroundings.ts';
import { addToken } from './token.ts';
import { addUsage } from './usage.ts';

const HELP = `
Exit codes: 0 done, 1 failed, 2 unusable input, 3 refused, 4 not found, 5 conflict, 6 unreachable
or unavailable, 7 apply needs --yes, 8 a new secret is lost, 9 check: not allowed.
Every command has its own help, with an example: propusk key create --help.`;

const ON_ITS_MACHINE = 'On the machine of the server:';

/** All commands. */
export function makeProgram(around: Surroundings): Command {
  const { version } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  ) as { version: string };
  const program = new Command('propusk')
    .description('The session and entitlement service of a trading API.')
    .version(version)
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => around.stdout.write(text),
      writeErr: () => {},
    })
    .addHelpText('after', HELP);
  program.commandsGroup(ON_ITS_MACHINE);
  addServerCommands(program);
  program.commandsGroup('Ask a server, from anywhere:');
  addLogin(program, around);
  addStatus(program, around);
  for (const add of [addClient, addAccount, addPlan, addSubscription, addKey, addSession]) {
    add(program, around);
  }
  for (const add of [addOperator, addAudit, addUsage, addToken, addExplain, addCheck, addApply]) {
    add(program, around);
  }
  const audit = program.commands.find((noun) => noun.name() === 'audit');
  audit?.commandsGroup(ON_ITS_MACHINE);
  addServerCommands(audit, 'audit');
  return program;
}

/** Names the server's commands, so that the help has them; they are run elsewhere. */
function addServerCommands(parent: Command | undefined, noun = ''): void {
  for (const [words, summary] of SERVER_COMMANDS) {
    const [verb = '', first = ''] = words.split(' ').reverse();
    if (first === noun) parent?.command(verb).description(summary);
  }
}

/** The surroundings of a real process. */
function surroundings(): Surroundings {
  const { env, stdin, stdout, stderr } = process;
  // Whoever reads the output may stop in the middle of it, such as `head`; a disk may be full.
  for (const stream of [stdout, stderr]) {
    stream.on('error', ({ code }: NodeJS.ErrnoException) => {
      process.exit(code === 'EPIPE' ? Exit.OK : Exit.FAILED);
    });
  }
  return { env, stdin, stdout, stderr, now: Date.now };
}

/** Runs one command of this process; resolves with the exit code. */
export function run(args: readonly string[]): Promise<number> {
  return runIn(surroundings(), args);
}

/** The same in other surroundings. */
export async function runIn(around: Surroundings, args: readonly string[]): Promise<number> {
  const program = makeProgram(around);
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync(args, { from: 'user' });
    return Exit.OK;
  } catch (error) {
    return exitOf(error, around, helpOf(program, args));
  } finally {
    await written(around.stdout);
  }
}

/** The command line that shows the help of the command that the words name, as far as they do. */
function helpOf(program: Command, words: readonly string[]): string {
  let [command, line] = [program, 'propusk'];
  for (const word of words) {
    const found = command.commands.find((each) => each.name() === word);
    if (found === undefined) break;
    command = found;
    line += ` ${word}`;
  }
  return `${line} --help`;
}

function exitOf(error: unknown, { stderr }: Surroundings, help: string): number {
  if (error instanceof CommandFailure) {
    stderr.write(`propusk: ${error.message}\n`);
    return error.exit;
  }
  if (!(error instanceof CommanderError)) throw error;
  if (error.exitCode === 0) return Exit.OK;
  // A noun without a verb shows its verbs, as an error.
  if (error.code === 'commander.help') {
    stderr.write(`propusk: that is not a whole command; see ${help}\n`);
    return Exit.USAGE;
  }
  // A guess at what was meant comes on a line of its own.
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  stderr.write(`propusk: ${message}; see ${help}\n`);
  return Exit.USAGE;
}

/** Resolves when everything written before has gone out: the process may end then. */
function written(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
