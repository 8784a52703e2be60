/**
 * The commands that the server's own program runs: they open its database and its files. All others
 * ask a server over the network.
 */

/** Each with what it does, as the list of all commands tells it. */
export const SERVER_COMMANDS: readonly (readonly [words: string, summary: string])[] = [
  ['dev', 'run everything in one process, with demo data, to write a client against'],
  ['serve', 'run for production'],
];

/** True where the words of a command line begin with those of such a command. */
export function isOfServer(args: readonly string[]): boolean {
  return SERVER_COMMANDS.some(([words]) => words.split(' ').every((word, i) => word === args[i]));
}
