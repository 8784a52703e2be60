/** `propusk apply`, `export` and `schema`: what a server holds, as a file. */
import type { JsonObject } from '@bufbuild/protobuf';
import { type Command, Option } from 'commander';
import { carryOut } from './apply/carry-out.ts';
import {
  type Change,
  countsOf,
  type Difference,
  differenceOf,
  massDeletions,
  plainChange,
  type State,
} from './apply/diff.ts';
import { eachKind, readWanted, type Wanted, writeWanted } from './apply/file.ts';
import { KIND_NAMES } from './apply/kinds.ts';
import { Progress } from './apply/progress.ts';
import { SCHEMA_TEXT } from './apply/schema.ts';
import { CommandSink, FileSink, type SecretSink } from './apply/secrets.ts';
import { readState } from './apply/state.ts';
import { addCommand, type Call } from './command.ts';
import { CommandFailure, Exit, unusable } from './failure.ts';
import { readFile, readText, type Surroundings } from './surroundings.ts';

/** Changes that are shown to people one by one; the counts say the rest. */
const CHANGES_SHOWN_MAX = 100;

const SIGNS = { create: '+', update: '~', delete: '-' } as const;

function showChange(change: Change): string {
  const { verb, kind, item } = change;
  const owner = item.clientId === '' ? '' : ` of client ${item.clientId}`;
  const fields = change.verb === 'update' ? `: ${change.fields.join(', ')}` : '';
  return `${SIGNS[verb]} ${kind} ${item.id}${owner}${fields}`;
}

/** The plan for people. */
function showPlan({ changes, kept }: Difference): string {
  const lines = changes.slice(0, CHANGES_SHOWN_MAX).map(showChange);
  if (changes.length > lines.length) lines.push(`… and ${changes.length - lines.length} more`);
  const counts = countsOf(changes);
  for (const kind of KIND_NAMES) {
    const { create, update, delete: deleted } = counts[kind];
    const parts = [
      [create, 'to create'],
      [update, 'to change'],
      [deleted, 'to delete'],
      [kept[kind], 'not in the file, and kept (--prune deletes)'],
    ] as const;
    const said = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
    if (said.length > 0) lines.push(`${kind}s: ${said.join(', ')}`);
  }
  if (changes.length === 0) lines.push('Nothing to change: the server holds what the file says.');
  return lines.join('\n');
}

/** Refuses to delete much at once, unless that is meant. */
function confirm(state: State, { changes }: Difference): void {
  const mass = massDeletions(state, changes);
  if (mass.length === 0) return;
  const counts = countsOf(changes);
  const what = mass.map((kind) => `${counts[kind].delete} of ${state[kind].size} ${kind}s`);
  throw new CommandFailure(
    Exit.UNCONFIRMED,
    `this deletes over a tenth: ${what.join(', ')}; nothing was changed; if it is meant, add --yes`,
  );
}

function newKeysOf(changes: readonly Change[]): number {
  return changes.filter(({ verb, kind }) => verb === 'create' && kind === 'key').length;
}

/** Where the secrets of new keys go; made before anything is changed. */
function openSecrets({ flags }: Call, changes: readonly Change[]): SecretSink | undefined {
  const count = newKeysOf(changes);
  if (count === 0) return undefined;
  const [file, command] = [flags.text('secretsFile'), flags.text('secretsCommand')];
  if (file !== undefined) return new FileSink(file);
  if (command !== undefined) return new CommandSink(command);
  throw unusable(
    `new keys (${count}), and nowhere to put their secrets: give --secrets-file or --secrets-command`,
  );
}

/** Whoever ends the program early ends it after the changes under way and their secrets. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function make(call: Call, { changes }: Difference): Promise<void> {
  const api = await call.admin();
  const secrets = openSecrets(call, changes);
  const progress = new Progress(call.around.stderr, () => performance.now());
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  for (const signal of STOP_SIGNALS) process.on(signal, stop);
  try {
    await carryOut({
      ...{ api, changes, secrets, stop: stopping.signal },
      serverFlags: call.connection.flagsAgain(),
      progress: (made) => progress.show('changes made', made, changes.length),
    });
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
    progress.end();
  }
}

function planForPrograms({ changes, kept }: Difference, isDryRun: boolean): JsonObject {
  const counts = countsOf(changes);
  return { dry_run: isDryRun, counts, kept, changes: changes.map(plainChange) };
}

async function readInput(call: Call): Promise<Wanted> {
  const name = call.flags.text('file') ?? '';
  const isInput = name === '-';
  const text = isInput ? await readText(call.around) : readFile(name);
  return readWanted(text, isInput ? 'standard input' : name);
}

function addApplyItself(program: Command, around: Surroundings): void {
  addCommand(program, around, {
    usage: 'apply',
    summary: 'make the server hold what a file says; shows first what would change',
    about:
      'Make the server hold what a file says, YAML or JSON (see propusk schema). It shows first what ' +
      'would change. The same file again changes nothing. Nothing is deleted without --prune, and of ' +
      'lists that the file leaves out nothing at all.',
    examples: [
      'propusk apply -f clients.yaml --dry-run',
      'propusk apply -f clients.yaml --secrets-file new.secrets',
      "propusk apply -f clients.yaml --prune --secrets-command 'vault-import --from-stdin'",
    ],
    options: [
      new Option('-f, --file <file>', 'the file; - is standard input').makeOptionMandatory(),
      new Option('--dry-run', 'show what would change, and change nothing'),
      new Option('--prune', 'delete what the file does not have'),
      new Option('--yes', 'delete even more than a tenth of what is there'),
      new Option(
        '--secrets-file <file>',
        'new file for the secrets of new keys, a JSON on each line',
      ),
      new Option('--secrets-command <command>', 'command that reads those lines').conflicts(
        'secretsFile',
      ),
    ],
    asksAdmin: true,
    run: async (call) => {
      const { flags, output } = call;
      const wanted = await readInput(call);
      const state = await readState(await call.admin());
      const difference = differenceOf(state, wanted, flags.isOn('prune'));
      const isDryRun = flags.isOn('dryRun');
      output.say(showPlan(difference));
      if (!isDryRun && difference.changes.length > 0) {
        if (!flags.isOn('yes')) confirm(state, difference);
        await make(call, difference);
        const count = difference.changes.length;
        output.say(count === 1 ? '1 change was made.' : `${count} changes were made.`);
      }
      if (output.format !== 'table') output.value(planForPrograms(difference, isDryRun));
    },
  });
}

export function addApply(program: Command, around: Surroundings): void {
  addApplyItself(program, around);

  addCommand(program, around, {
    usage: 'export',
    summary:
      'write what the server holds as a file for apply; secrets and revoked keys are not in it',
    examples: ['propusk export > clients.yaml', 'propusk export --output json'],
    asksAdmin: true,
    run: async ({ admin, output }) => {
      const state = await readState(await admin());
      const isAlive = (each: { isRevoked: boolean }) => !each.isRevoked;
      output.value(writeWanted(eachKind((kind) => [...state[kind].values()].filter(isAlive))));
    },
  });

  addCommand(program, around, {
    usage: 'schema',
    summary: 'write the JSON Schema of the files that apply reads',
    examples: ['propusk schema > clients.schema.json'],
    run: async () => {
      around.stdout.write(SCHEMA_TEXT);
    },
  });
}
