/** The tree of commands: every one has its help, and its examples are good ones. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { suite, test } from 'node:test';
import type { Command } from 'commander';
import { makeProgram, runIn } from './main.ts';
import { SERVER_COMMANDS } from './server-commands.ts';
import type { Surroundings } from './surroundings.ts';

function silent(): Surroundings & { readonly written: () => string } {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const env = { HOME: '/nowhere' };
  let text = '';
  stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  return { env, stdin, stdout, stderr, now: () => 0, written: () => text };
}

/** All commands that do something, each with the words that lead to it. */
function leavesOf(command: Command, words: readonly string[] = []): [string, Command][] {
  const isServers = SERVER_COMMANDS.some(([name]) => name.split(' ')[0] === words[0]);
  if (isServers && words[0] !== 'audit') return [];
  if (command.commands.length === 0) return [[words.join(' '), command]];
  return command.commands.flatMap((child) => leavesOf(child, [...words, child.name()]));
}

function isServers(path: string): boolean {
  return SERVER_COMMANDS.some(([words]) => words === path);
}

/** The words of a simple shell command, and of those that it is piped through. */
function wordsOf(line: string): string[][] {
  const commands: string[][] = [[]];
  for (const [word] of line.matchAll(/'[^']*'|"[^"]*"|[^\s'"]+/g)) {
    if (word === '|') commands.push([]);
    else commands.at(-1)?.push(word.replace(/^(['"])(.*)\1$/, '$2'));
  }
  return commands.map((words) => {
    const redirect = words.findIndex((word) => word === '<' || word === '>');
    return redirect === -1 ? words : words.slice(0, redirect);
  });
}

suite('the help', () => {
  const around = silent();
  const leaves = leavesOf(makeProgram(around)).filter(([path]) => !isServers(path));

  test('there are commands for every noun', () => {
    const nouns = new Set(leaves.map(([path]) => path.split(' ')[0]));
    for (const noun of ['client', 'account', 'plan', 'subscription', 'key', 'session', 'audit']) {
      assert.ok(nouns.has(noun), noun);
    }
    assert.ok(leaves.length > 40, String(leaves.length));
  });

  for (const [path] of leaves) {
    test(`propusk ${path} --help has an example that can be run`, async () => {
      const around = silent();
      assert.equal(await runIn(around, [...path.split(' '), '--help']), 0);
      const [, examples = ''] = /\n\nExamples?:\n([\s\S]+)$/.exec(around.written()) ?? [];
      const lines = examples.trim().split('\n');
      assert.ok(lines[0]?.includes(`propusk ${path}`), examples);
      for (const line of lines) {
        for (const [name, ...words] of wordsOf(line)) {
          if (name !== 'propusk') continue;
          const program = makeProgram(silent());
          let ran = false;
          for (const [, command] of leavesOf(program)) {
            command.action(() => {
              ran = true;
            });
          }
          await program.parseAsync(words, { from: 'user' });
          assert.ok(ran, line);
        }
      }
    });
  }

  test('a noun alone, and nothing at all', async () => {
    assert.equal(await runIn(silent(), ['key']), 2);
    const around = silent();
    assert.equal(await runIn(around, []), 0);
    assert.match(around.written(), /^Usage: propusk /);
  });
});
