/** What a command sees of the process that it runs in; tests bring their own. */
import { readFileSync } from 'node:fs';
import { text as textOf } from 'node:stream/consumers';
import { unusable } from './failure.ts';

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** The wall clock, in milliseconds. */
  now(): number;
}

/** A file as text. */
export function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const why = isAbsent ? 'there is no such file' : (error as Error).message;
    throw unusable(`${file} cannot be read: ${why}`, error);
  }
}

/** All of standard input. */
export function readText({ stdin }: Surroundings): Promise<string> {
  return textOf(stdin as NodeJS.ReadStream);
}

/**
 * A secret or a token: the first line of a file, or of standard input where no file (or `-`) is
 * named. Never an argument: other users of the machine read those off the process list.
 * @param what for people, such as `the operator's token`
 */
export async function readSecret(
  around: Surroundings,
  file: string | undefined,
  what: string,
): Promise<string> {
  const fromFile = file !== undefined && file !== '-';
  const text = fromFile ? readFile(file) : await readInput(around, what);
  const secret = text.split(/\r?\n/, 1)[0]?.trim() ?? '';
  if (secret === '') {
    throw unusable(`${what} is empty: ${fromFile ? file : 'standard input'} begins with no line`);
  }
  return secret;
}

async function readInput(around: Surroundings, what: string): Promise<string> {
  const { stdin, stderr } = around;
  if (!stdin.isTTY) return readText(around);
  stderr.write(`${what}: `);
  try {
    return await typedUnseen(stdin as NodeJS.ReadStream);
  } finally {
    stderr.write('\n');
  }
}

/** One line that is typed on a terminal, without showing it. */
function typedUnseen(terminal: NodeJS.ReadStream): Promise<string> {
  const [BACKSPACE, DELETE, INTERRUPT, END] = ['\b', '\x7f', '\x03', '\x04'];
  terminal.setRawMode(true).setEncoding('utf8').resume();
  return new Promise((resolve, reject) => {
    let line = '';
    const done = (settle: () => void) => {
      terminal.off('data', take).setRawMode(false).pause();
      settle();
    };
    const take = (typed: string) => {
      for (const character of typed) {
        if (character === '\r' || character === '\n' || character === END) {
          return done(() => resolve(line));
        }
        if (character === INTERRUPT) return done(() => reject(unusable('interrupted')));
        if (character === BACKSPACE || character === DELETE) line = line.slice(0, -1);
        else line += character;
      }
    };
    terminal.on('data', take);
  });
}
