/**
 * The commands that the server's own program runs: they open its database and its files. All others
 * ask a server over the network.
 */

/** Each with what it does, as the list of all commands tells it. */
export const SERVER_COMMANDS: readonly (readonly [words: string, summary: string])[] = [
  ['dev', 'run everything in one process, with demo data, to write a client against'],
  ['serve', 'run for production'],
  ['bootstrap', 'make the first owner, and print its token once'],
  ['migrate', "bring the database to this program's version, without starting a server"],
  ['backup', 'copy the database into a new file, also while a server runs on it'],
  ['restore', 'put a backup in the place of the database; all sessions are revoked'],
  ['copy', "move a stopped service's records from SQLite to PostgreSQL"],
  ['doctor', 'look at the settings, the database, the clock, the keys and the disk'],
  ['audit verify', 'find whether the audit log, or what it tells of, was tampered with'],
  ['audit head', "print the audit log's head, to be kept elsewhere"],
];

/** True where the words of a command line begin with those of such a command. */
export function isOfServer(args: readonly string[]): boolean {
  return SERVER_COMMANDS.some(([words]) => words.split(' ').every((word, i) => word === args[i]));
}
